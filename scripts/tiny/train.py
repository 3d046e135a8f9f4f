"""The stages of training: words to their places, then images to those places, then images to the words themselves."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scripts.tiny.draw import Asked, Batch, Classes, Words, draw_batch
from scripts.tiny.photos import Photos
from scripts.tiny.texts import Vocabulary, template_or_context
from scripts.tiny.words import Tree
from torch import Tensor, nn

from deft.encoders.hybrid import HybridEncoder

NAMES = (190, 60, 20, 206, 36)  # of each group of the vocabulary in a batch
COMMON = 1.8  # the higher, the more often the commoner of things and other nouns are drawn
KEPT = 0.5  # weight of reading the trunk's features off the joint ones
SPREAD = 0.05  # added to each feature's own, so that a silent one counts little
HIDDEN = 0.15  # share of a glyph's features that is dropped: drawn glyphs are more alike than people's

Embed = Callable[[Asked], Tensor]


@dataclass(frozen=True)
class Stage:
    """How the image layers are taught.

    Args:
        steps: How many batches.
        rate: Learning rate.
        counts: Small photos, glyphs and photos at full size in a batch.
        pinned: Weight of full-size photos staying where they belong.
        seed: Seed of everything drawn.
    """

    steps: int
    rate: float
    counts: tuple[int, int, int]
    pinned: float
    seed: int


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


def teach_words(words: Words, taught: Vocabulary, steps: int, seed: int) -> None:
    """Train the text tower until names come out where they belong, whatever stands before the name.

    Args:
        words: The text tower.
        taught: Names and targets.
        steps: How many batches.
        seed: Seed of the order and the templates.
    """
    draws = random.Random(seed)
    adam = optimiser([(words.tower, 2e-3)], decay=0.01)
    running = torch.ones(len(NAMES))
    for step in range(steps):
        set_rate(adam, share_of_rate(step, step / steps))
        apart = words_apart(words, taught, draws)
        adam.zero_grad()
        apart.mean().backward()
        nn.utils.clip_grad_norm_(words.tower.parameters(), 1.0)
        adam.step()
        means = torch.stack([part.mean() for part in apart.detach().split(NAMES)])
        running.lerp_(means, max(0.02, 1 / (step + 1)))
        if (step + 1) % 100 == 0:
            state = ", ".join(f"{value:.3f}" for value in running.tolist())
            print(f"  words: step {step + 1}, 1 - cosine of usual, tree, glyphs, things, others {state}", flush=True)


def share_of_rate(step: int, done: float) -> float:
    """Share of the full learning rate: a linear start over 100 steps, then half a cosine."""
    return min((step + 1) / 100, 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def words_apart(words: Words, taught: Vocabulary, draws: random.Random) -> Tensor:
    """One minus the cosine to its target, of each of a random batch of names under one random template."""
    usual, tree, glyphs, *rest = taught.groups
    names = draws.choices(usual, k=NAMES[0]) + draws.choices(tree, k=NAMES[1]) + draws.sample(glyphs, NAMES[2])
    for some, count in zip(rest, NAMES[3:], strict=True):
        names += [some[int(draws.random() ** COMMON * len(some))] for _ in range(count)]
    with torch.autocast("cpu", torch.bfloat16):
        features = words.encode(names, template_or_context(draws))
    return 1 - (features * taught.of(names)).sum(1)


def places(taught: Vocabulary) -> Embed:
    """The places that the names have, which no tower has to have learned."""
    return lambda asked: taught.of(asked.names)


def said(words: Words) -> Embed:
    """What the text tower makes of the names; it learns nothing from it."""

    def embed(asked: Asked) -> Tensor:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            return words.encode(asked.names, asked.way)

    return embed


@torch.no_grad()
def start_images(encoder: HybridEncoder, axes: Tensor, photos: Photos, seed: int) -> None:
    """Set projection and head so that the untaught tower gives the axes of the pooled features, but for one.

    The last norm takes the mean of the channels away. So the axes are turned until that mean is the last axis.

    Args:
        encoder: What is started; as wide as its joint space.
        axes: Main axes, first first, (W, 1280), orthonormal.
        photos: The training images, which tell how large the axes' values are.
        seed: Draws the turn.
    """
    vision, width = encoder.visual, encoder.width
    turned = torch.randn(width, width, generator=torch.Generator().manual_seed(seed))
    turned[:, 0] = 1
    turn, _ = torch.linalg.qr(turned)  # its first column is the mean of the channels
    turn = turn.roll(-1, dims=1)
    pooled = F.relu6(vision.trunk.head(photos.full[::20].float())).mean((2, 3)) @ axes.T
    size = pooled.square().mean().rsqrt()
    vision.project.weight.copy_(size * turn @ axes)
    vision.project.bias.zero_()
    vision.head.weight.copy_(turn.T)


def contrast(features: Tensor, classes: Tensor, scale: Tensor, target: Tensor, prior: Tensor) -> Tensor:
    """Soft cross-entropy of the similarities, mean over the images.

    The logarithm of each class's share among the targets is added to the similarities (Menon et al. 2021),
    so that the similarities themselves need not favour the classes that have photos.
    """
    logits = scale * features @ classes.T + prior.clamp(min=1e-6).log()
    return -(target * logits.log_softmax(-1)).sum(-1).mean()


class Reading(nn.Module):
    """Reads the trunk's mean features off the joint ones, so that these keep what no class name asks for.

    Thrown away after training. Without it the joint features forget whatever does not help to name a class.

    Args:
        dim: Width D of the joint space.
        pooled: Mean features of some images, (B, 1280), whose means and spreads are the units.
    """

    def __init__(self, dim: int, pooled: Tensor) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, pooled.shape[1])
        self.register_buffer("mean", pooled.mean(dim=0))
        self.register_buffer("spread", pooled.std(dim=0) + SPREAD)

    def loss(self, features: Tensor, pooled: Tensor) -> Tensor:
        """Mean squared error in units of each feature's spread, of unit features (B, D) and mean features (B, 1280)."""
        # A coordinate of a unit vector is about D to the power of -1/2.
        read = self.linear(features * features.shape[1] ** 0.5)
        error: Tensor = read - (pooled - self.get_buffer("mean")) / self.get_buffer("spread")
        return error.square().mean()


def teach_images(
    encoder: HybridEncoder,
    embed: Embed,
    tree: Tree,
    photos: Photos,
    axes: Tensor,
    stage: Stage,
    moved: float = 0.5,
) -> None:
    """Train what lies between trunk and joint space on batches that draw their own set of classes.

    Photos at full size have no part in the contrast: they are to stay where the axes put them.

    Args:
        encoder: What is trained; trunk and text tower stay as they are.
        embed: Gives the unit vectors of the names that a batch is asked for.
        tree: The hypernym tree.
        photos: The training images.
        axes: Main axes of the joint space, (D, 1280).
        stage: How.
        moved: Share of the small photos that are moved to another class.
    """
    encoder.visual.trunk.requires_grad_(False)
    log_scale = nn.Parameter(torch.tensor(20.0).log())
    generator, classes = torch.Generator().manual_seed(stage.seed), Classes(tree, stage.seed)
    some = draw_batch(photos, encoder.visual.trunk.head, (512, 64, 512), generator, moved)
    reading = Reading(encoder.config.dim, some.grid.float().mean(dim=1))
    adam = images_optimiser(encoder, log_scale, reading, stage.rate)
    trained = [p for group in adam.param_groups for p in group["params"]]
    shares, running, small = torch.zeros(1036), 0.0, stage.counts[0] + stage.counts[1]
    for step in range(stage.steps):
        set_rate(adam, share_of_rate(step, step / stage.steps))
        batch = draw_batch(photos, encoder.visual.trunk.head, stage.counts, generator, moved)
        shares = shares.lerp(batch.target.mean(0), max(0.005, 1 / (step + 1)))
        asked, pooled = classes.draw(), batch.grid.float().mean(dim=1)
        batch.grid[stage.counts[0] : small] = F.dropout(batch.grid[stage.counts[0] : small], HIDDEN)
        features = joint_features(encoder, batch)
        fit = images_loss(features[:small], embed(asked), batch, asked, log_scale.exp(), shares)
        apart = 1 - (features[small:] * F.normalize(pooled[small:] @ axes.T, dim=-1)).sum(dim=-1).mean()
        kept = reading.loss(features, pooled)
        adam.zero_grad()
        (fit + KEPT * kept + stage.pinned * apart).backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        adam.step()
        running += max(0.02, 1 / (step + 1)) * (fit.item() - running)
        if (step + 1) % 50 == 0:
            state = f"loss {running:.3f}, read {kept.item():.3f}, apart {apart.item():.3f}, scale {log_scale.exp():.0f}"
            print(f"  images: step {step + 1}, {state}", flush=True)
    encoder.get_buffer("_logit_scale").copy_(log_scale.detach().exp().clamp(max=100.0))


def images_optimiser(
    encoder: HybridEncoder, log_scale: nn.Parameter, reading: Reading, rate: float
) -> torch.optim.AdamW:
    """AdamW for the image layers."""
    vision = encoder.visual
    parts = nn.ModuleList([vision.project, vision.layers, vision.norm, vision.head])
    rates: list[tuple[nn.Module | nn.Parameter, float]] = [
        (parts, rate),
        (vision.positions, rate),
        (log_scale, 1e-2),
        (reading, 2e-3),
    ]
    return optimiser(rates, decay=0.05)


def joint_features(encoder: HybridEncoder, batch: Batch) -> Tensor:
    """Unit features of a batch, (B, D)."""
    with torch.autocast("cpu", torch.bfloat16):
        features: Tensor = encoder.visual.features(encoder.visual.embed(batch.grid))
    return features.float()


def images_loss(
    features: Tensor,
    embedded: Tensor,
    batch: Batch,
    asked: Asked,
    scale: Tensor,
    shares: Tensor,
) -> Tensor:
    """The contrast of a batch against the classes that it is asked for.

    Args:
        features: Unit features of the batch, (B, D).
        embedded: Unit embeddings of the names that are asked for, (K, D).
        batch: Features and targets.
        asked: The names.
        scale: Inverse temperature.
        shares: Share of each leaf and glyph among the targets so far, (1036,).
    """
    prior = torch.zeros(len(asked.names)).index_add_(0, asked.place, shares)
    target = torch.zeros(len(batch.target), len(asked.names)).index_add_(1, asked.place, batch.target)
    return contrast(features, embedded, scale.clamp(max=100.0), target, prior)
