"""Damaged tables and odd layouts: whatever comes, there is a sentence or a row for each line, and never a crash.

More of them: `python tests/data/test_mutations.py 20000` (`make fuzz`).
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path

import pytest

from deft.data.images import LabeledImages
from deft.data.load import load_images
from deft.errors import DataError

PICTURE = b"\x89PNG"
ROUNDS = 400
NAMES = ("cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png", "dog/2")
TABLES: dict[str, bytes] = {
    "t.csv": b'file_name,label,split\ncat/0.png,cat,train\ncat/1.png,"cat, big",test\ndog/0.png,dog,train\n',
    "t.tsv": b"path\tlabel\ncat/0.png\t0\ncat/1.png\t1\ndog/1.png\t2\n",
    "t.txt": b"cat/0.png 0\ncat/1.png 1\ndog/1.png 1\n",
    "t.json": json.dumps([{"image": name, "label": name[:3]} for name in NAMES]).encode(),
    "m.json": json.dumps({name: name[:3] for name in NAMES}).encode(),
    "l.json": json.dumps({"classes": ["cat", "dog"], "labels": {"cat/0": 0, "dog/0": 1}}).encode(),
    "p.json": json.dumps({"labels": [[name, name[:3]] for name in NAMES]}).encode(),
    "f.json": json.dumps({"cat": NAMES[:2], "dog": NAMES[2:4]}).encode(),
    "c.json": json.dumps(
        {
            "images": [{"id": number, "file_name": name} for number, name in enumerate(NAMES)],
            "annotations": [{"image_id": number, "category_id": number % 2} for number in range(5)],
            "categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}],
        }
    ).encode(),
    "w.csv": b'# K\xe4se\nsep=;\nfile_name; label\ncat/0.png; "K\xe4se"\ncat/1.png; "big; dog"\ndog\\1.PNG; dog\n',
    "k.txt": b"0: cat\n1: dog\n2: emu\n",
    "t.jsonl": b"".join(json.dumps({"path": name, "class": name[:3]}).encode() + b"\n" for name in NAMES),
    "n.txt": b"n02085620\tChihuahua\nn02123045\ttabby\n",
}
PIECES = [
    *(piece.encode() for piece in ",\t;\n\r\"'\\/[]{}:| \x00\x1a"),
    *(b"\r\n", b"..", b"nan", b"1.0", b"-1", b"label", b"1e999", b"0" * 400),
    *(b"\xff", b"\xef\xbb\xbf", b"\xc3\xa9", b"e\xcc\x81", b"\\ud800"),
]


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Cut, double, swap and sprinkle, a few times."""
    for _ in range(rng.randint(1, 6)):
        start, stop = sorted(rng.randint(0, len(data)) for _ in range(2))
        match rng.randrange(5):
            case 0:
                data = data[:start] + data[stop:]
            case 1:
                data = data[:stop] + data[start:stop] + data[stop:]
            case 2:
                data = data[:start] + rng.choice(PIECES) + data[start:]
            case 3:
                data = data[:start] + bytes(rng.randrange(256) for _ in range(min(4, stop - start))) + data[stop:]
            case _:
                lines = data.split(b"\n")
                rng.shuffle(lines)
                data = b"\n".join(lines)
    return data


def attempt(root: Path, seed: int) -> bool:
    """Whether a mutated table could be read; anything but rows or a sentence is an error."""
    rng = random.Random(seed)
    name = rng.choice(list(TABLES))
    (root / name).write_bytes(mutate(TABLES[name], rng))
    as_names = name in ("n.txt", "k.txt") or rng.random() < 0.1
    try:
        images = load_images(root / name) if not as_names else load_images(root / "cat", classes=root / name)
    except DataError as error:
        said = str(error)
    else:
        check(images)
        return True
    assert "\n" not in said
    assert len(said) < 2000
    return False


def check(images: LabeledImages) -> None:
    """What holds of all images that were read."""
    assert len(images) == len(images.file_name) == len(set(images.sample_id))
    assert len(images.classes) == len(set(images.classes)) == len(images.words)
    for text in (*images.classes, *images.file_name, *images.notes):
        text.encode("utf-8")


def prepare(root: Path) -> Path:
    """The images that the tables name."""
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / (name if name.endswith(".png") else f"{name}.png")).write_bytes(PICTURE)
    return root


@pytest.mark.parametrize("start", range(4))
def test_a_damaged_table_is_rows_or_a_sentence(tmp_path: Path, start: int) -> None:
    root = prepare(tmp_path)
    read = [attempt(root, seed) for seed in range(start * ROUNDS, (start + 1) * ROUNDS)]
    assert any(read)
    assert not all(read)


def fuzz(rounds: int) -> None:
    """Try so many mutations, and print how many could be read.

    Args:
        rounds: Number of seeds, from 10 000 on.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = prepare(Path(folder))
        read = 0
        for seed in range(10_000, 10_000 + rounds):
            try:
                read += attempt(root, seed)
            except Exception:
                sys.stderr.write(f"seed {seed}\n")
                raise
    sys.stdout.write(f"{rounds} mutations, {read} read, {rounds - read} refused with a sentence\n")


if __name__ == "__main__":
    fuzz(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
