"""The model card: what a model was trained on and how, for those who find it later."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deft.data.pixel_rule import PixelRule
from deft.wording import counted

SHOWN_CLASSES = 100
FIXES = {
    "drop": "images whose label was found wrong were left out",
    "relabel": "labels found wrong were replaced by the suggested class",
    "weigh": "every image counts by the probability that its label is right",
    "mask": "images whose label was found wrong stayed in their batches, without a loss",
}

PIPELINE = """```python
from transformers import pipeline

pipeline("image-classification", "PATH")("photo.jpg")
```
"""
OWN = """This model sits on the image half of a vision-language model and is stored in deft's own form: `pipeline()` of
transformers can't load it. deft does:

```python
import deft
from deft.wording import counted

deft.AdaptedModel.load("PATH").predict(deft.find_images("photos/"))
```
"""


def model_card(training_record: Mapping[str, Any], classes: Sequence[str], *, in_pipelines: bool) -> str:
    """Return a README.md in the form of the Hugging Face hub.

    Args:
        training_record: What `adapt` noted.
        classes: Names of the classes.
        in_pipelines: Whether transformers' pipelines load the model.
    """
    backbone = str(training_record.get("backbone", "an unknown backbone"))
    # Where a folder lies is no part of a card that may be published.
    backbone = Path(backbone).name if Path(backbone).is_absolute() else backbone
    parts = [
        _head(in_pipelines, backbone),
        f"# Image classifier on {_line(backbone)}\n",
        f"Names images as one of {counted(len(classes), 'class', 'classes')}. Made by "
        "[deft](https://pypi.org/project/deft-labels/), which finds wrong labels and trains on what is left.\n",
        PIPELINE if in_pipelines else OWN,
        _data(training_record),
        _training(training_record),
        _pixels(training_record, in_pipelines=in_pipelines),
        _scores(training_record.get("validation") or {}),
        _classes(classes),
        _versions(training_record),
    ]
    return "\n".join(part for part in parts if part)


def _head(in_pipelines: bool, backbone: str) -> str:
    lines = ["---", "pipeline_tag: image-classification", "tags:", "- image-classification", "- noisy-labels", "- deft"]
    if in_pipelines:
        lines.insert(1, "library_name: transformers")
    if backbone.count("/") == 1 and not backbone.startswith(("/", ".")):
        lines.append(f"base_model: {json.dumps(backbone)}")
    return "\n".join([*lines, "---", ""])


def _data(training_record: Mapping[str, Any]) -> str:
    data = training_record.get("data") or {}
    counts = data.get("counts") or {}
    if not counts:
        return ""
    rows = [f"- {name}: {count}" for name, count in counts.items() if count]
    fix = data.get("fix")
    said = f"Use of labels found wrong: {FIXES[fix]} (`--fix {fix}`).\n" if fix in FIXES else ""
    found = (data.get("detection") or {}).get("detector")
    detector = f"They were found by `{_line(found)}` on `{_line(data['detection'].get('model'))}`.\n" if found else ""
    missing = data.get("classes_without_images") or []
    without = f"Classes of which no image was left: {', '.join(map(_line, missing))}.\n" if missing else ""
    name = f"Data: {_line(data['name'])}\n" if data.get("name") else ""
    return "\n".join(["## Data\n", name, "Images:\n", *rows, "", said, detector, without])


def _training(training_record: Mapping[str, Any]) -> str:
    if "method" not in training_record:
        return ""
    chosen = [
        ("method", training_record["method"]),
        ("tuning", training_record.get("tuning")),
        ("head", training_record.get("head")),
        ("optimization", training_record.get("optimization")),
        ("epochs", training_record.get("epochs")),
        ("batch size", training_record.get("batch_size")),
        ("seed", training_record.get("seed")),
    ]
    if "preprocessing" in training_record:
        chosen.append(("preprocessing", training_record["preprocessing"]))
    rows = [f"- {name}: `{json.dumps(value)}`" for name, value in chosen]
    several = int(training_record.get("networks", 1))
    note = f"\n{several} networks were trained beside each other; this is the first of them.\n" if several > 1 else ""
    return "\n".join(["## Training\n", *rows, note, f"Citation: {training_record.get('citation', '')}\n"])


def _pixels(training_record: Mapping[str, Any], *, in_pipelines: bool) -> str:
    """Return how pictures are read, and which a pipeline sees otherwise than this model learned them."""
    rule = PixelRule.from_settings((training_record.get("info") or {}).get("pixels"))
    ranges = [f"{kind}: {found.low:g} is black, {found.high:g} is white" for kind, found in sorted(rule.ranges.items())]
    learned = [f"Learned from pictures of more than 8 bits a channel: {'; '.join(ranges)}.\n"] if ranges else []
    if not in_pipelines:
        return "\n".join(["## Pixels\n", *learned]) if learned else ""
    scaled = "scales these as they were learned" if ranges else "does the same, and says so"
    return "\n".join(
        [
            "## Pixels\n",
            "Files are seen by transformers' pipelines as they were learned: upright, the first frame, with the stored "
            "colours where they are transparent. But for two kinds, which should be converted to 8-bit RGB first:\n",
            f"- more than 8 bits a channel: a pipeline takes every value above 255 as white. `deft predict` {scaled}.",
            "- drawings in the transparency alone, such as black ink on nothing: a pipeline sees one colour; deft lays "
            "them on white, or bright ones on black.\n",
            *learned,
        ]
    )


def _scores(validation: Mapping[str, Any]) -> str:
    if not validation:
        return "## Scores\n\nNo images were held back for validation.\n"
    held_back = counted(validation["images"], "image")
    lines = [
        f"Accuracy on {held_back} held back from training, with the labels that they had:\n",
        f"- last epoch: {validation['last']:.1%}",
        f"- best epoch ({validation['best_epoch']}): {validation['best']:.1%}",
        f"\nThe weights are those of the {validation['kept']} epoch.\n",
    ]
    return "\n".join(["## Scores\n", *lines])


def _classes(classes: Sequence[str]) -> str:
    more = f", and {len(classes) - SHOWN_CLASSES} more" if len(classes) > SHOWN_CLASSES else ""
    return f"## Classes\n\n{', '.join(map(_line, classes[:SHOWN_CLASSES]))}{more}\n"


def _versions(training_record: Mapping[str, Any]) -> str:
    versions = (training_record.get("info") or {}).get("versions") or {}
    return f"Versions: {', '.join(f'{name} {number}' for name, number in versions.items())}\n" if versions else ""


def _line(text: object) -> str:
    """Return text from strangers on one line, with nothing that Markdown or HTML would act on."""
    flat = "".join(char if char.isprintable() else " " for char in str(text))
    return "".join(f"\\{char}" if char in "\\`*_[]<>#|!" else char for char in flat)
