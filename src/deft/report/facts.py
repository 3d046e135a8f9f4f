"""The numbers at the top and bottom of the page: counts, scores, sizes, and how the labels were judged."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from deft.data.images import LabeledImages
from deft.data.printable import shown
from deft.data.thumbnails import image_size
from deft.metrics import DetectionScores
from deft.report.page import Fact, Table
from deft.report.words import count, percent, plural
from deft.runs.detection import Detection
from deft.runs.vocabulary import DUPLICATE_IN_WORDS, duplicates_in_words, reviews_in_words, sample_in_words

SIZED = 500  # images whose size is looked up
ERRORS = 200  # rows of the table


def tiles(found: Detection, summary: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Return the few numbers that matter most.

    Args:
        found: The verdicts.
        summary: What its `summary` gives.
    """
    low, high = summary["noise_rate_interval"]
    return (
        Fact("images", count(len(found))),
        Fact("classes", count(len(found.classes))),
        Fact("labels flagged as wrong", count(summary["flagged"])),
        Fact(
            "estimated share of wrong labels",
            percent(summary["estimated_noise_rate"]),
            f"{percent(low)} to {percent(high)} (95\u00a0% interval)",
        ),
        Fact("not judged", count(summary["unreadable"]), "unreadable image or no label" if found.read_errors else ""),
    )


def truth_facts(scores: DetectionScores) -> tuple[Fact, ...]:
    """Return how good the verdicts are against the known truth."""
    return (
        Fact("precision", percent(scores.precision), "of the flagged labels are wrong"),
        Fact("recall", percent(scores.recall), f"of the {count(scores.wrong)} wrong labels are flagged"),
        Fact("F1", percent(scores.f1), "harmonic mean of the two"),
        Fact("right suggestions", percent(scores.suggestion_accuracy), "of the wrong labels that are flagged"),
        Fact("true share of wrong labels", percent(scores.true_noise_rate), "of the labels judged"),
    )


def how(found: Detection) -> tuple[Fact, ...]:
    """Return model, tuning, seed, versions, time and memory.

    Args:
        found: The verdicts.
    """
    settings, info = dict(found.settings), dict(found.info)
    flat = dict(_flat(settings))
    seed = next((value for name, value in flat.items() if name in ("seed", "reading.seed")), "")
    seconds, memory = info.get("wall_seconds"), info.get("peak_memory_mb")
    versions = info.get("versions", {})
    lines = [
        Fact("detector", shown(settings.get("detector", ""))),
        Fact("model", shown(settings.get("model", ""))),
        Fact("learned from", sample_in_words(info["sample"]) if "sample" in info else ""),
        Fact("with reviews", reviews_in_words(info["reviews"]) if "reviews" in info else ""),
        Fact("tuning", _tuning(settings.get("tuning"))),
        Fact("epochs", shown(settings.get("epochs", ""))),
        Fact("seed", shown(seed)),
        Fact("device", shown(info.get("device", ""))),
        Fact("time", "" if seconds is None else _duration(float(seconds))),
        Fact("peak memory", "" if memory is None else f"{count(float(memory))} MB"),
        Fact("versions", ", ".join(f"{shown(name)} {shown(number)}" for name, number in versions.items())),
        Fact("fingerprint of the images", shown(info.get("data_fingerprint", ""))),
        Fact("fingerprint of the labels", shown(info.get("label_fingerprint", ""))),
    ]
    return tuple(line for line in lines if line.value)


def all_settings(found: Detection) -> tuple[Fact, ...]:
    """Return every setting, one a line."""
    return tuple(Fact(shown(name), _written(value)) for name, value in _flat(found.settings))


def sizes(images: LabeledImages) -> tuple[Fact, ...]:
    """Return the sizes of the images; where there are many, of some that are drawn evenly.

    Args:
        images: Only headers are read.
    """
    rows = np.unique(np.linspace(0, len(images) - 1, min(SIZED, len(images))).round().astype(np.int64))
    known = [size for size in (image_size(images, row) for row in rows.tolist()) if size is not None]
    if not known:
        return ()
    shorter = np.array([min(size) for size in known])
    common = Counter(known).most_common(4)
    return (
        Fact("looked at", plural(len(known), "image"), "drawn evenly" if len(rows) < len(images) else ""),
        Fact("shorter side", f"{shorter.min()} to {shorter.max()} pixels, {np.median(shorter):.0f} in the middle"),
        Fact("most common", ", ".join(f"{wide} × {high} ({percent(n / len(known), 0)})" for (wide, high), n in common)),
    )


def odd_pictures(summary: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Return pictures that could be read, but are blank, blurred, tiny, ...

    Args:
        summary: What `Detection.summary` gives.
    """
    return tuple(Fact(kind, plural(number, "image")) for kind, number in summary["image_notes"].items())


def reading(found: Detection) -> tuple[str, ...]:
    """Return what is to be known of how the data was read, a sentence each; the files that were passed over come last.

    Args:
        found: The verdicts.
    """
    about = found.info.get("reading", {})
    skipped = about.get("skipped", {})
    listed = "; ".join(f"{shown(kind)}: {count(number)}" for kind, number in skipped.items())
    passed = (f"Files passed over: {listed}.",) if skipped else ()
    return (*map(shown, about.get("notes", ())), *passed)


def duplicates(summary: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Return images that show the same picture; with a group as an example where labels differ or splits share it.

    Args:
        summary: What `Detection.summary` gives.
    """
    about = summary["duplicates"]
    if not about.get("groups"):
        return ()
    by = duplicates_in_words(about.get("images_by_kind", {}))
    pictures = f"in {plural(about['groups'], 'group')}, each of one picture" + (f"; known by {by}" if by else "")
    lines = [Fact("duplicates", plural(about["images"], "image"), pictures)]
    for told, counted, listed, cell in (
        ("duplicates with different labels", "groups_with_different_labels", "different_labels", "given_label"),
        ("duplicates in several splits", "groups_in_several_splits", "several_splits", "split"),
    ):
        if about[counted]:
            first = ", ".join(f"{shown(one['file_name'])} ({shown(one[cell] or '')})" for one in about[listed][0][:3])
            lines.append(Fact(told, plural(about[counted], "group"), f"such as {first}"))
    return tuple(lines)


def torn(found: Detection) -> Table:
    """Return the images that show one picture under different labels, group by group: at least one label is wrong.

    Args:
        found: The verdicts.
    """
    groups = found.duplicates
    every = [rows for rows, differ in zip(groups.members, groups.torn, strict=True) if differ]
    rows = [
        (
            str(number),
            shown(found.file_name[row]),
            shown(found.titles[found.given[row]]) if found.given[row] >= 0 else "",
            DUPLICATE_IN_WORDS.get((groups.kinds and groups.kinds[row]) or "", ""),
            "flagged" if found.is_label_issue[row] else "",
        )
        for number, members in enumerate(every, start=1)
        for row in members
    ]
    left = len(rows) - ERRORS
    note = f"{count(left)} more images stand in labels.csv (duplicate_group)." if left > 0 else ""
    return Table(("Picture", "File", "Label", "Known by", "Verdict"), tuple(rows[:ERRORS]), words=5, note=note)


def errors(found: Detection) -> Table:
    """Return images that couldn't be judged, and why.

    Args:
        found: The verdicts.
    """
    every = sorted(found.read_errors)
    rows = tuple((shown(found.file_name[row]), shown(found.reason(row) or "")) for row in every[:ERRORS])
    left = len(every) - len(rows)
    return Table(("File", "Reason"), rows, words=2, note=f"{count(left)} more stand in labels.csv." if left else "")


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _written(value: Any) -> str:
    """Return a setting as JSON has it, so that it reads the same before and after it was stored."""
    return shown(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def _tuning(tuning: Any) -> str:
    if not isinstance(tuning, Mapping):
        return shown(tuning or "")
    rest = ", ".join(f"{name} {value}" for name, value in tuning.items() if name != "type")
    return shown(f"{tuning.get('type', '')}{f' ({rest})' if rest else ''}")


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
