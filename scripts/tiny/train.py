"""The two stages of training: words first, then images against words."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scripts.tiny.glyphs import caption_sets
from scripts.tiny.photos import Photos
from scripts.tiny.texts import Vocabulary, template_or_context
from scripts.tiny.words import Tree
from torch import Tensor, nn

from deft.encoders.hybrid import HybridEncoder
from deft.encoders.plan import PromptPlan, Slots, split_name
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


def schedule(step: int, steps: int, warmup: int = 100) -> float:
    """Share of the full learning rate: a linear start, then a half cosine."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def optimiser(groups: list[tuple[nn.Module | nn.Parameter, float]], decay: float) -> torch.optim.AdamW:
    """AdamW over modules with a learning rate each; vectors are not decayed."""
    settings = []
    for module, rate in groups:
        parameters = [module] if isinstance(module, nn.Parameter) else list(module.parameters())
        for decayed in (True, False):
            chosen = [p for p in parameters if p.requires_grad and (p.ndim > 1) == decayed]
            settings.append({"params": chosen, "lr": rate, "weight_decay": decay if decayed else 0.0})
    return torch.optim.AdamW(settings, betas=(0.9, 0.98), fused=True)


def set_rate(adam: torch.optim.Optimizer, share: float) -> None:
    """Set every group's learning rate to a share of its full one."""
    for group in adam.param_groups:
        group.setdefault("full", group["lr"])
        group["lr"] = group["full"] * share


def teach_words(words: Words, taught: Vocabulary, seconds: float, seed: int, batch: int = 512) -> None:
    """Train the text tower until its embeddings of names are MiniLM's, whatever stands before the name.

    Args:
        words: The text tower.
        taught: Names and targets.
        seconds: How long.
        seed: Seed of the order and the templates.
        batch: Names at a time.
    """
    draws = random.Random(seed)
    adam = optimiser([(words.tower, 2e-3)], decay=0.01)
    began, step, done = time.time(), 0, 0.0
    running = 0.0
    while done < 1:
        set_rate(adam, min((step + 1) / 100, 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))))
        loss = words_loss(words, taught, draws, batch)
        adam.zero_grad()
        loss.backward()
        adam.step()
        running += 0.02 * (loss.item() - running) if step else loss.item()
        step, done = step + 1, (time.time() - began) / seconds
        if step % 100 == 0:
            print(f"  words: step {step}, 1 - cosine {running:.3f}, {done:.0%}", flush=True)


def words_loss(words: Words, taught: Vocabulary, draws: random.Random, batch: int) -> Tensor:
    """One minus the mean cosine to the targets, over a random batch of names under one random template."""
    rows = [min(int(draws.random() ** 1.5 * len(taught.names)), len(taught.names) - 1) for _ in range(batch)]
    with torch.autocast("cpu", torch.bfloat16):
        features = words.encode([taught.names[row] for row in rows], template_or_context(draws))
    return 1 - (features * taught.targets[rows]).sum(1).mean()


@dataclass
class Batch:
    """A batch on its way into the tower: features (B, L, 1280), target over 1000 classes and 36 glyphs."""

    grid: Tensor
    target: Tensor


@torch.no_grad()
def draw_batch(
    photos: Photos, head: nn.Conv2d, count: int, glyphs: int, generator: torch.Generator, moved: float
) -> Batch:
    """Random photos and glyphs; some photos moved, in the trunk's feature space, to another class.

    The teacher is linear in the mean of the grid, so it can judge a moved photo exactly. This is how
    classes take part of which there is no training photo. It always judges the clear view.
    """
    which = int(torch.randint(len(photos.views), (), generator=generator))
    view, means = photos.views[which], photos.means[which]
    rows = torch.randint(len(view), (count,), generator=generator).sort().values
    some = torch.randint(len(photos.glyphs), (glyphs,), generator=generator)
    maps = torch.cat([mirrored(view[rows], generator), photos.glyphs[some]]).bfloat16()
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
    target = torch.zeros(len(grid), 1000 + 36)
    target[:count, :1000] = 0.45 * teacher
    target[torch.arange(count), labels] += 0.55
    target[count + torch.arange(glyphs), 1000 + photos.glyph_labels[some]] = 1
    return Batch(grid, target)


def mirrored(maps: Tensor, generator: torch.Generator) -> Tensor:
    """Maps (B, C, h, w), half of them left to right."""
    flip = torch.rand(len(maps), generator=generator) < 0.5
    maps[flip] = maps[flip].flip(-1)
    return maps


@torch.no_grad()
def start_images(encoder: HybridEncoder, words: Words, tree: Tree, photos: Photos, axes: tuple[Tensor, Tensor]) -> None:
    """Set projection and head so that the untrained tower already does what a linear map can do.

    Args:
        encoder: What is started.
        words: Its text tower, trained.
        tree: The hypernym tree.
        photos: The training images.
        axes: Main axes of the pooled features, divided by their spread, (W, 1280), and the mean (1280,).
    """
    vision, generator = encoder.visual, torch.Generator().manual_seed(0)
    vision.project.weight.copy_(axes[0])
    vision.project.bias.copy_(-axes[0] @ axes[1])
    leaves = words.encode([tree.names[leaf][0] for leaf in tree.leaves], "a photo of a {}.")
    glyphs = words.encode([captions[0] for captions in caption_sets()], "{}")
    wanted = torch.cat([leaves, glyphs])
    inputs, outputs = [], []
    for _ in range(40):
        batch = draw_batch(photos, vision.trunk.head, 448, 64, generator, 0.5)
        tokens = vision.embed(batch.grid.float())
        for layer in vision.layers:
            tokens = layer(tokens, None)
        inputs.append(vision.norm(tokens[:, 0]))
        outputs.append(F.normalize(batch.target @ wanted, dim=-1))
    x, y = torch.cat(inputs), torch.cat(outputs)
    gram = x.T @ x
    gram.diagonal().add_(1e-3 * gram.diagonal().mean())
    vision.head.weight.copy_(torch.linalg.solve(gram, x.T @ y).T)


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

    def draw(self) -> tuple[list[str], Tensor, str | int]:
        """Names (K + 36 of them), the class of each leaf and glyph, (1036,), and a template."""
        nodes = self.tree.leaves if self.draws.random() < 0.4 else self.tree.cut(self.draws)
        place = torch.empty(1036, dtype=torch.long)
        for number, node in enumerate(nodes):
            if nodes is self.tree.leaves:
                place[number] = number
            else:
                place[self.tree.under[node]] = number
        place[1000:] = len(nodes) + torch.arange(36)
        names = [self._word(self.tree.names[node]) for node in nodes]
        names += [self.draws.choice(captions) for captions in self.captions]
        return names, place, template_or_context(self.draws)

    def _word(self, words: list[str]) -> str:
        return words[0] if self.draws.random() < 0.6 else self.draws.choice(words)


def contrast(features: Tensor, classes: Tensor, scale: Tensor, target: Tensor) -> Tensor:
    """Soft cross-entropy of the similarities, mean over the images."""
    return -(target * (scale * features @ classes.T).log_softmax(-1)).sum(-1).mean()


def teach_images(
    encoder: HybridEncoder,
    words: Words,
    taught: Vocabulary,
    tree: Tree,
    photos: Photos,
    *,
    seconds: float,
    seed: int,
    count: int = 256,
    glyphs: int = 32,
    moved: float = 0.3,
) -> None:
    """Train both towers (the trunk stays as it is) on batches that draw their own set of classes.

    Args:
        encoder: What is trained.
        words: Its text tower.
        taught: Names and targets, so that words without pictures keep their places.
        tree: The hypernym tree.
        photos: The training images.
        seconds: How long.
        seed: Seed of everything drawn.
        count: Photos in a batch.
        glyphs: Glyphs in a batch.
        moved: Share of the photos that are moved to another class.
    """
    vision = encoder.visual
    vision.trunk.requires_grad_(False)
    log_scale = nn.Parameter(torch.tensor(math.log(20.0)))
    parts = nn.ModuleList([vision.project, vision.layers, vision.norm, vision.head])
    adam = optimiser([(parts, 1e-3), (words.tower, 4e-4), (vision.positions, 1e-3), (log_scale, 1e-2)], decay=0.05)
    trained = [p for group in adam.param_groups for p in group["params"]]
    generator = torch.Generator().manual_seed(seed)
    classes, draws = Classes(tree, seed), random.Random(seed + 1)
    began, step, done, running = time.time(), 0, 0.0, 0.0
    while done < 1:
        set_rate(adam, min((step + 1) / 100, 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))))
        batch = draw_batch(photos, vision.trunk.head, count, glyphs, generator, moved)
        names, place, way = classes.draw()
        target = torch.zeros(len(batch.target), len(names)).index_add_(1, place, batch.target)
        with torch.autocast("cpu", torch.bfloat16):
            features = vision.features(vision.embed(batch.grid))
            embedded = words.encode(names, way)
        fit = contrast(features.float(), embedded, log_scale.exp(), target)
        loss = fit + 2 * words_loss(words, taught, draws, 256)
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        adam.step()
        with torch.no_grad():
            log_scale.clamp_(max=math.log(100.0))
        running += 0.02 * (fit.item() - running) if step else fit.item()
        step, done = step + 1, (time.time() - began) / seconds
        if step % 50 == 0:
            print(f"  images: step {step}, loss {running:.3f}, scale {log_scale.exp():.0f}, {done:.0%}", flush=True)
    encoder.get_buffer("_logit_scale").copy_(log_scale.detach().exp())
