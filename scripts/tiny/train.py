"""The two stages of training: words first, then images against words."""

from __future__ import annotations

import math
import random
import time

import torch
import torch.nn.functional as F
from scripts.tiny.draw import Batch, Classes, Words, draw_batch
from scripts.tiny.glyphs import caption_sets
from scripts.tiny.photos import Photos
from scripts.tiny.texts import Vocabulary, template_or_context
from scripts.tiny.words import Tree
from torch import Tensor, nn

from deft.encoders.hybrid import HybridEncoder

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


def words_loss(words: Words, taught: Vocabulary, draws: random.Random, batch: int) -> Tensor:
    """One minus the mean cosine to the targets, over a random batch of names under one random template."""
    rows = [min(int(draws.random() ** 1.5 * len(taught.names)), len(taught.names) - 1) for _ in range(batch)]
    with torch.autocast("cpu", torch.bfloat16):
        features = words.encode([taught.names[row] for row in rows], template_or_context(draws))
    return 1 - (features * taught.targets[rows]).sum(1).mean()


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
            tokens = layer(tokens)
        inputs.append(vision.norm(tokens[:, 0]))
        outputs.append(F.normalize(batch.target @ wanted, dim=-1))
    x, y = torch.cat(inputs), torch.cat(outputs)
    gram = x.T @ x
    gram.diagonal().add_(1e-3 * gram.diagonal().mean())
    vision.head.weight.copy_(torch.linalg.solve(gram, x.T @ y).T)


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
    words: Words,
    taught: Vocabulary,
    tree: Tree,
    photos: Photos,
    *,
    seconds: float,
    seed: int,
    count: int = 256,
    glyphs: int = 32,
    moved: float = 0.5,
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
    encoder.visual.trunk.requires_grad_(False)
    log_scale = nn.Parameter(encoder.logit_scale.clamp(max=25.0).log())
    generator = torch.Generator().manual_seed(seed)
    some = draw_batch(photos, encoder.visual.trunk.head, 1024, glyphs, generator, moved)
    reading = Reading(encoder.config.dim, some.grid.float().mean(dim=1))
    adam = images_optimiser(encoder, log_scale, reading)
    trained = [p for group in adam.param_groups for p in group["params"]]
    classes, draws = Classes(tree, seed), random.Random(seed + 1)
    began, step, done, running, shares = time.time(), 0, 0.0, 0.0, torch.zeros(1036)
    while done < 1:
        set_rate(adam, share_of_rate(step, done))
        batch = draw_batch(photos, encoder.visual.trunk.head, count, glyphs, generator, moved)
        shares = shares.lerp(batch.target.mean(0), max(0.005, 1 / (step + 1)))
        features = joint_features(encoder, batch)
        fit = images_loss(features, words, batch, classes.draw(), log_scale.exp(), shares)
        kept = reading.loss(features, batch.grid.float().mean(dim=1))
        loss = fit + KEPT * kept + 2 * words_loss(words, taught, draws, 256)
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        adam.step()
        running += 0.02 * (fit.item() - running) if step else fit.item()
        step, done = step + 1, (time.time() - began) / seconds
        if step % 50 == 0:
            state = f"loss {running:.3f}, read {kept.item():.3f}, scale {log_scale.exp():.0f}"
            print(f"  images: step {step}, {state}, {done:.0%}", flush=True)
    encoder.get_buffer("_logit_scale").copy_(log_scale.detach().exp().clamp(max=100.0))


def images_optimiser(encoder: HybridEncoder, log_scale: nn.Parameter, reading: Reading) -> torch.optim.AdamW:
    """AdamW for all but the trunk; the text tower, which has learned already, at a lower rate."""
    vision = encoder.visual
    parts = nn.ModuleList([vision.project, vision.layers, vision.norm, vision.head])
    rates: list[tuple[nn.Module | nn.Parameter, float]] = [
        (parts, 1e-3),
        (encoder.text, 4e-4),
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
    words: Words,
    batch: Batch,
    asked: tuple[list[str], Tensor, str | int],
    scale: Tensor,
    shares: Tensor,
) -> Tensor:
    """The contrast of a batch against the classes that it is asked for.

    Args:
        features: Unit features of the batch, (B, D).
        words: The text tower.
        batch: Features and targets.
        asked: What `Classes.draw` gives.
        scale: Inverse temperature.
        shares: Share of each leaf and glyph among the targets so far, (1036,).
    """
    names, place, way = asked
    prior = torch.zeros(len(names)).index_add_(0, place, shares)
    target = torch.zeros(len(batch.target), len(names)).index_add_(1, place, batch.target)
    with torch.autocast("cpu", torch.bfloat16):
        embedded = words.encode(names, way)
    return contrast(features, embedded, scale.clamp(max=100.0), target, prior)
