"""What a batch consists of: photos and glyphs, the classes to tell apart, and the classes' embeddings."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scripts.tiny.glyphs import caption_sets
from scripts.tiny.photos import Photos
from scripts.tiny.texts import template_or_context
from scripts.tiny.words import Tree
from torch import Tensor, nn

from deft.encoders.prompt_plan import PromptPlan, Slots, split_name
from deft.encoders.text import CausalTextTower

CONTEXT_STD = 0.02


class Words:
    """Class embeddings of names under a template or random context vectors, tokenised once.

    Args:
        tower: The text tower.
        seed: Seed of the context vectors.
    """

    def __init__(self, tower: CausalTextTower, seed: int) -> None:
        self.tower = tower
        self.generator = torch.Generator().manual_seed(seed)
        self.known: dict[str, list[int]] = {}

    def ids(self, text: str) -> list[int]:
        """Token ids of a text, remembered."""
        if text not in self.known:
            self.known[text] = self.tower.tokenize(text)[:60]
        return self.known[text]

    def encode(self, names: Sequence[str], way: str | int) -> Tensor:
        """Unit embeddings, (K, D), of names in a template or behind that many random context vectors."""
        length = way if isinstance(way, int) else 0
        prompts: list[Slots] = []
        for name in names:
            if isinstance(way, int):
                stop = self.ids(".")
                slots = split_name(
                    self.ids(name), stop, start=self.tower.start, end=self.tower.end, length=length, position="end"
                )
            else:
                before, after = way.split("{}")
                slots = (*self.tower.start, *self.ids(before), *self.ids(name), *self.ids(after), self.tower.end)
            prompts.append(slots)
        context = torch.randn(1, length, self.tower.width, generator=self.generator) * CONTEXT_STD
        return self.tower.encode_plan(PromptPlan(tuple(prompts)), context)[0].float()


@dataclass
class Batch:
    """A batch on its way into the tower.

    Args:
        grid: Features, (B, L, 1280): small photos, glyphs, photos at full size.
        target: Over 1000 classes and 36 glyphs, (B - F, 1036), for all but the F photos at full size.
    """

    grid: Tensor
    target: Tensor


@torch.no_grad()
def draw_batch(
    photos: Photos, head: nn.Conv2d, counts: tuple[int, int, int], generator: torch.Generator, moved: float
) -> Batch:
    """So many random small photos, glyphs and photos at full size; some small ones moved to another class.

    They are moved in the trunk's feature space.

    The teacher is linear in the mean of the grid, so it can judge a moved photo exactly. This is how
    classes take part of which there is no training photo. It always judges the clear view.
    """
    count, glyphs, full = counts
    which = int(torch.randint(len(photos.views), (), generator=generator))
    view, means = photos.views[which], photos.means[which]
    rows = torch.randint(len(view), (count,), generator=generator).sort().values
    some = torch.randint(len(photos.glyphs), (glyphs,), generator=generator)
    others = torch.randint(len(photos.full), (full,), generator=generator)
    parts = [mirrored(view[rows], generator), photos.glyphs[some], mirrored(photos.full[others], generator)]
    maps = torch.cat(parts).bfloat16()
    labels = photos.labels[rows].clone()
    weight = head.weight.flatten(1).bfloat16()
    bias = head.bias.bfloat16() if head.bias is not None else None
    grid = F.linear(maps.flatten(2).transpose(1, 2), weight, bias).clamp_(0, 6)
    shifted = int(moved * count)
    chosen = torch.randperm(count, generator=generator)[:shifted]
    fresh = torch.randint(len(means), (shifted,), generator=generator)
    strength = 0.7 + 0.8 * torch.rand(shifted, 1, generator=generator)
    step = (means[fresh] - means[labels[chosen]]) * strength
    grid[chosen] = (grid[chosen] + step[:, None].bfloat16()).clamp_(0, 6)
    clear = photos.clear[rows].float()
    clear[chosen] += (photos.means[0][fresh] - photos.means[0][labels[chosen]]) * strength
    labels[chosen] = fresh
    weights, biases = photos.classifier
    teacher = (clear.clamp_(0, 6) @ weights.T + biases).softmax(-1)
    target = torch.zeros(count + glyphs, 1000 + 36)
    target[:count, :1000] = 0.45 * teacher
    target[torch.arange(count), labels] += 0.55
    target[count + torch.arange(glyphs), 1000 + photos.glyph_labels[some]] = 1
    return Batch(grid, target)


def mirrored(maps: Tensor, generator: torch.Generator) -> Tensor:
    """Maps (B, C, h, w), half of them left to right."""
    flip = torch.rand(len(maps), generator=generator) < 0.5
    maps[flip] = maps[flip].flip(-1)
    return maps


@dataclass(frozen=True)
class Asked:
    """What a batch is asked to tell apart.

    Args:
        names: Names of K classes of photos, then of 36 glyphs.
        nodes: How many classes of photos, K.
        place: Class of each of the 1000 leaves and 36 glyphs, (1036,).
        way: The template, or the number of random context vectors.
    """

    names: list[str]
    nodes: int
    place: Tensor
    way: str | int


class Classes:
    """What a batch is asked to tell apart: the leaves or a random cut, and the glyphs.

    Args:
        tree: The hypernym tree.
        seed: Seed of cuts, synonyms and templates.
    """

    def __init__(self, tree: Tree, seed: int) -> None:
        self.tree = tree
        self.draws = random.Random(seed)
        self.captions = caption_sets()

    def draw(self) -> Asked:
        """Names of all leaves or of a random cut, and of glyphs, under one template."""
        nodes = self.tree.leaves if self.draws.random() < 0.5 else self.tree.cut(self.draws)
        place = torch.empty(1036, dtype=torch.long)
        for number, node in enumerate(nodes):
            if nodes is self.tree.leaves:
                place[number] = number
            else:
                place[self.tree.under[node]] = number
        place[1000:] = len(nodes) + torch.arange(36)
        names = [self._word(self.tree.names[node]) for node in nodes]
        names += [self.draws.choice(captions) for captions in self.captions]
        return Asked(names, len(nodes), place, template_or_context(self.draws))

    def _word(self, words: list[str]) -> str:
        return words[0] if self.draws.random() < 0.6 else self.draws.choice(words)
