"""The two stages of training: words first, then images against words."""

from __future__ import annotations

import math
import random
import time

import torch
import torch.nn.functional as F
from scripts.tiny.draw import Asked, Batch, Classes, Words, draw_batch
from scripts.tiny.photos import Photos
from scripts.tiny.texts import Vocabulary, template_or_context
from scripts.tiny.words import Tree
from torch import Tensor, nn

from deft.encoders.hybrid import HybridEncoder

Shares = tuple[float, float]
SHARES = (0.4, 0.25)  # of the classes' usual names and of other names in the tree, in a batch of words
COUNTS = (176, 80, 48)  # small photos, glyphs and photos at full size in a batch
PINNED, WORDS = 8.0, 2.0  # weights of full-size photos and of words staying where they belong
KEPT = 0.5  # weight of reading the trunk's features off the joint ones
SPREAD = 0.05  # added to each feature's own, so that a silent one counts little


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
    """Train the text tower until names come out where they belong, whatever stands before the name.

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
        set_rate(adam, share_of_rate(step, done))
        loss = words_loss(words, taught, draws, batch)
        adam.zero_grad()
        loss.backward()
        adam.step()
        running += 0.02 * (loss.item() - running) if step else loss.item()
        step, done = step + 1, (time.time() - began) / seconds
        if step % 100 == 0:
            print(f"  words: step {step}, 1 - cosine {running:.3f}, {done:.0%}", flush=True)


def share_of_rate(step: int, done: float) -> float:
    """Share of the full learning rate: a linear start over 100 steps, then half a cosine."""
    return min((step + 1) / 100, 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def words_loss(words: Words, taught: Vocabulary, draws: random.Random, batch: int, shares: Shares = SHARES) -> Tensor:
    """One minus the mean cosine to the targets, over a random batch of names under one random template.

    Args:
        words: The text tower.
        taught: Names and targets.
        draws: Source of the draws.
        batch: How many names.
        shares: Of the classes' usual names and of other names in the tree; the rest is drawn from all, commoner
            ones more often.
    """
    usual, tree, rest = taught.groups
    names = draws.choices(usual, k=round(shares[0] * batch)) + draws.choices(tree, k=round(shares[1] * batch))
    names += [rest[int(draws.random() ** 1.5 * len(rest))] for _ in range(batch - len(names))]
    with torch.autocast("cpu", torch.bfloat16):
        features = words.encode(names, template_or_context(draws))
    return 1 - (features * taught.of(names)).sum(1).mean()


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


def contrast(features: Tensor, classes: Tensor, scale: Tensor, target: Tensor, prior: Tensor, photos: int) -> Tensor:
    """Soft cross-entropy of the similarities, mean over the images.

    The logarithm of each class's share among the targets is added to the similarities (Menon et al. 2021),
    so that the similarities themselves need not favour the classes that have photos. The first images are photos: they
    move to the names, and the names, which have their places, not to them. Behind them are glyphs, which move both.
    """
    alike = torch.cat([features[:photos] @ classes.detach().T, features[photos:] @ classes.T])
    logits = scale * alike + prior.clamp(min=1e-6).log()
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
    words: Words,
    taught: Vocabulary,
    tree: Tree,
    photos: Photos,
    axes: Tensor,
    *,
    seconds: float,
    seed: int,
    moved: float = 0.5,
) -> None:
    """Train both towers (the trunk stays as it is) on batches that draw their own set of classes.

    Photos at full size have no part in the contrast: they are to stay where the axes put them.

    Args:
        encoder: What is trained.
        words: Its text tower.
        taught: Names and targets, so that words keep their places.
        tree: The hypernym tree.
        photos: The training images.
        axes: Main axes of the joint space, (D, 1280).
        seconds: How long.
        seed: Seed of everything drawn.
        moved: Share of the small photos that are moved to another class.
    """
    encoder.visual.trunk.requires_grad_(False)
    log_scale = nn.Parameter(torch.tensor(20.0).log())
    generator, small = torch.Generator().manual_seed(seed), COUNTS[0] + COUNTS[1]
    some = draw_batch(photos, encoder.visual.trunk.head, (512, 64, 512), generator, moved)
    reading = Reading(encoder.config.dim, some.grid.float().mean(dim=1))
    adam = images_optimiser(encoder, log_scale, reading)
    trained = [p for group in adam.param_groups for p in group["params"]]
    classes, draws = Classes(tree, seed), random.Random(seed + 1)
    began, step, done, running, shares = time.time(), 0, 0.0, 0.0, torch.zeros(1036)
    while done < 1:
        set_rate(adam, share_of_rate(step, done))
        batch = draw_batch(photos, encoder.visual.trunk.head, COUNTS, generator, moved)
        shares = shares.lerp(batch.target.mean(0), max(0.005, 1 / (step + 1)))
        features, pooled = joint_features(encoder, batch), batch.grid.float().mean(dim=1)
        asked = classes.draw()
        with torch.autocast("cpu", torch.bfloat16):
            embedded = words.encode(asked.names, asked.way)
        fit = images_loss(features[:small], embedded, batch, asked, log_scale.exp(), shares)
        placed = 1 - (embedded[: asked.nodes] * taught.of(asked.names[: asked.nodes])).sum(dim=-1).mean()
        apart = 1 - (features[small:] * F.normalize(pooled[small:] @ axes.T, dim=-1)).sum(dim=-1).mean()
        kept = reading.loss(features, pooled)
        others = words_loss(words, taught, draws, 96, shares=(0.0, 0.1))
        loss = fit + KEPT * kept + PINNED * apart + WORDS * (placed + others)
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        adam.step()
        running += 0.02 * (fit.item() - running) if step else fit.item()
        step, done = step + 1, (time.time() - began) / seconds
        if step % 50 == 0:
            state = f"loss {running:.3f}, read {kept.item():.3f}, apart {apart.item():.3f}, placed {placed.item():.3f}"
            print(f"  images: step {step}, {state}, scale {log_scale.exp():.0f}, {done:.0%}", flush=True)
    encoder.get_buffer("_logit_scale").copy_(log_scale.detach().exp().clamp(max=100.0))


def images_optimiser(encoder: HybridEncoder, log_scale: nn.Parameter, reading: Reading) -> torch.optim.AdamW:
    """AdamW for all but the trunk; the text tower, which has learned already, at a lower rate."""
    vision = encoder.visual
    parts = nn.ModuleList([vision.project, vision.layers, vision.norm, vision.head])
    rates: list[tuple[nn.Module | nn.Parameter, float]] = [
        (parts, 1e-3),
        (encoder.text, 8e-4),
        (vision.positions, 1e-3),
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
    return contrast(features, embedded, scale.clamp(max=100.0), target, prior, COUNTS[0])
