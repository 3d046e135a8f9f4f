"""Makes the bundled model `tiny`, or measures it.

Command: python -m scripts.train_tiny --data ../shared/data --photos ../photos --work /tmp/tiny    (make)
         python -m scripts.train_tiny --data ../shared/data --photos ../photos --evaluate          (measure)
Data:    tiny-imagenet-train-*.parquet (photos of 64 px) in the first folder; in the second imagenette/train and
         cars/cars_train (photos at full size, whose labels are not read). WordNet 3.0 (Debian: wordnet-base), fonts
         (Debian's fonts-*), and the packages of the extra `train`. Everything else is only measured on; sets that
         are not there are left out with a line.
Result:  docs/tiny-model.md.

Every step leaves its result in the work folder and is skipped when that is there.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from scripts.tiny.draw import Words
from scripts.tiny.evaluate import calibrated_scale, evaluate
from scripts.tiny.features import VIEWS, calm_malloc, decode, extract, extract_photos, finish
from scripts.tiny.fold import folded_trunk, published
from scripts.tiny.glyphs import draw_many
from scripts.tiny.late import read_early, teach_trunk
from scripts.tiny.photos import load_photos
from scripts.tiny.sizes import teach_judge
from scripts.tiny.targets import class_targets, joint_axes
from scripts.tiny.texts import Vocabulary, all_names, imagenet_tree, train_tokenizer, vocabulary
from scripts.tiny.train import Stage, places, said, start_images, teach_images, teach_words
from scripts.tiny.words import Tree
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from deft.encoders.efficientnet_lite import Trunk
from deft.encoders.hybrid import HybridConfig, HybridEncoder, load_hybrid
from deft.encoders.load import TINY

NOUNS, VOCABULARY, DIM, PHOTOS, GLYPHS = 46_000, 3072, 256, 40_000, 21_000
TRUNK_STEPS, WORDS_STEPS = 500, (1450, 3157)  # words twice: the rate falls to nothing and starts again
# The image layers: first against the names' places, then against what the text tower makes of the names.
PLACES = Stage(steps=1184, rate=1e-3, counts=(128, 112, 32), pinned=8.0, seed=5)
SAID = Stage(steps=400, rate=5e-4, counts=(128, 112, 48), pinned=12.0, seed=6)
FULL_SIZE = ("imagenette/train/*/*", "cars/cars_train/*")


def full_size_files(photos: Path) -> list[Path]:
    """The photos at full size that the model learns from."""
    return [file for pattern in FULL_SIZE for file in sorted(photos.glob(pattern))]


def prepare_images(data: Path, photos: Path, work: Path) -> None:
    """What the trunk makes of the photos in every view, of drawn glyphs and of photos at full size."""
    trunk, weights, biases = folded_trunk(published())
    torch.save((trunk.state_dict(), weights, biases), work / "published.pt")
    pixels, labels = work / "photos-pixels.npy", work / "photos-labels.json"
    if not labels.exists():
        images, names = decode(sorted(data.glob("tiny-imagenet-train-*.parquet")), "label")
        rows = np.random.default_rng(1).permutation(len(images))[:PHOTOS]
        np.save(pixels, images[rows])
        labels.write_text(json.dumps([names[row] for row in rows]))
    for seed, (name, view) in enumerate(VIEWS.items()):
        if not (work / f"early-{seed}.npy").exists():
            print(f"early maps of the view {name!r}", flush=True)
            extract(trunk, np.load(pixels, mmap_mode="r"), view, work / f"early-{seed}.npy", seed)
    if not (work / "early-glyphs.npy").exists():
        pictures, drawn = draw_many(GLYPHS, seed=1)
        np.save(work / "glyphs-labels.npy", drawn)
        extract(trunk, pictures, VIEWS["plain"], work / "early-glyphs.npy", seed=3)
    if not (work / "late-full.npy").exists():
        print("late maps of photos at full size", flush=True)
        extract_photos(trunk, full_size_files(photos), work / "late-full.npy")


def prepare_trunk(photos: Path, work: Path, steps: int) -> None:
    """The trunk's late blocks for small pictures, the judge of sizes, and the features that both lead to."""
    state, weights, biases = torch.load(work / "published.pt")
    trunk = Trunk()
    trunk.load_state_dict(state)
    if (work / "trunk.pt").exists():
        trunk.load_state_dict(torch.load(work / "trunk.pt")[0])
    else:
        classifier = teach_trunk(trunk, (weights, biases), read_early(work), steps=steps, seed=7)
        small = [np.load(file, mmap_mode="r") for file in sorted(work.glob("early-*.npy"))]
        gains = teach_judge(trunk, full_size_files(photos), small, seed=2)
        print("the blocks for small pictures are nearer by", {side: round(gain, 3) for side, gain in gains.items()})
        torch.save((trunk.state_dict(), *classifier), work / "trunk.pt")
    for early in sorted(work.glob("early-*.npy")):
        late = work / early.name.replace("early", "late")
        if not late.exists():
            print(f"late features of {early.stem}", flush=True)
            finish(trunk.small, np.load(early, mmap_mode="r"), late)


def prepare_words(work: Path, weights: Tensor) -> tuple[Tree, Vocabulary, PreTrainedTokenizerFast, Tensor]:
    """The tree, the names with their targets, the tokenizer, and the axes of the joint space."""
    tree, file, axes = imagenet_tree(), work / "vocabulary.pt", joint_axes(weights, DIM)
    if not file.exists():
        train_tokenizer(all_names(tree, NOUNS), VOCABULARY, work / "tokenizer")
        torch.save(dataclasses.asdict(vocabulary(tree, NOUNS, class_targets(weights, axes))), file)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(str(work / "tokenizer"))
    return tree, Vocabulary(**torch.load(file)), tokenizer, axes


def fresh_encoder(tokenizer: PreTrainedTokenizerFast, work: Path) -> HybridEncoder:
    """An untrained model around the folded trunk; what a residual branch adds starts small."""
    torch.manual_seed(0)
    config = HybridConfig(
        dim=DIM,
        vocabulary=len(tokenizer),
        start_id=tokenizer.bos_token_id,
        end_id=tokenizer.eos_token_id,
    )
    encoder = HybridEncoder(config, tokenizer)
    for name, module in encoder.named_modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        elif isinstance(module, nn.Linear):
            small = name.endswith(("out_proj", "fc2"))
            nn.init.normal_(module.weight, std=(0.1 if small else 1.0) * module.in_features**-0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    encoder.visual.trunk.load_state_dict(torch.load(work / "trunk.pt")[0])
    return encoder


def package(encoder: HybridEncoder, tokenizer_folder: Path, folder: Path) -> None:
    """Write the model's files, float16, each under a temporary name first."""
    folder.mkdir(parents=True, exist_ok=True)
    scale = round(float(encoder.logit_scale), 3)
    dataclasses.replace(encoder.config, logit_scale=scale).write(folder / "config.json")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer_folder / file, folder / file)
    weights = {name: tensor.half().contiguous() for name, tensor in encoder.state_dict().items()}
    save_file(weights, folder / "model.safetensors.part")
    (folder / "model.safetensors.part").chmod(0o644)
    os.replace(folder / "model.safetensors.part", folder / "model.safetensors")


def train(data: Path, photos: Path, work: Path, out: Path) -> None:
    """Every step from the data to the packaged model."""
    work.mkdir(parents=True, exist_ok=True)
    calm_malloc()
    prepare_images(data, photos, work)
    prepare_trunk(photos, work, TRUNK_STEPS)
    tree, taught, tokenizer, axes = prepare_words(work, torch.load(work / "published.pt")[1])
    encoder = fresh_encoder(tokenizer, work)
    words = Words(encoder.text, seed=1)
    if (work / "words.pt").exists():
        encoder.text.load_state_dict(torch.load(work / "words.pt"))
    else:
        for seed, count in zip((1, 11), WORDS_STEPS, strict=True):
            teach_words(words, taught, count, seed)
        torch.save(encoder.text.state_dict(), work / "words.pt")
    known = load_photos(work, encoder.visual.trunk.head)
    start_images(encoder, axes, known, seed=4)
    teach_images(encoder, places(taught), tree, known, axes, PLACES)
    before = {name: weights.clone() for name, weights in encoder.visual.state_dict().items()}
    teach_images(encoder, said(words), tree, known, axes, SAID)
    after = encoder.visual.state_dict()
    encoder.visual.load_state_dict({name: (before[name] + weights) / 2 for name, weights in after.items()})
    encoder.get_buffer("_logit_scale").fill_(calibrated_scale(encoder, photos, tree))
    package(encoder, work / "tokenizer", out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the Parquet files")
    parser.add_argument("--photos", type=Path, required=True, help="folder of the sets at full size")
    parser.add_argument("--work", type=Path, default=Path("/tmp/tiny"), help="folder for intermediate results")
    parser.add_argument("--out", type=Path, default=TINY, help="folder of the model")
    parser.add_argument("--evaluate", action="store_true", help="measure the model instead of making it")
    asked = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    if not asked.evaluate:
        train(asked.data, asked.photos, asked.work, asked.out)
        return
    calm_malloc()
    for name, value in evaluate(load_hybrid(asked.out), asked.data, asked.photos):
        print(f"{name:70} {value:.1f}" if "images/s" in name else f"{name:70} {value:.1%}", flush=True)


if __name__ == "__main__":
    main()
