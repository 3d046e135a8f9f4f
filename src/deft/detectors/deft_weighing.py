"""How DeFT's default verdict is learned from open inputs, and given on them (`Evidence`)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from deft.data.images import LabeledImages
from deft.detectors.collector import NO_BORDER, Collector, score_of, suggesting
from deft.detectors.deft_evidence import EXPERTS, WITHIN, Evidence, hears_prompts_of
from deft.detectors.deft_sample import Features, Sample, Scored, fair_sample
from deft.detectors.deft_training import DualPromptTraining, Recipe
from deft.encoders.base import DualEncoder
from deft.evidence.cleaned import FOLDS, Doubted, clean
from deft.evidence.decided import Decided, learn_factor
from deft.evidence.discriminant import SHRINKAGES
from deft.evidence.experts import even_likelihood
from deft.evidence.explained import log_bayes_factor
from deft.evidence.explanations import Explanations
from deft.evidence.folds import content_keys
from deft.evidence.foreign import Foreign, looks
from deft.evidence.label_noise import LabelNoise
from deft.evidence.neighbours import AT_ONCE, Near
from deft.evidence.weighing import Weighed, fit_noise, weigh
from deft.prompts.templates import class_features
from deft.runs.detection import Verdicts
from deft.training.feature_bank import keep_outputs
from deft.training.inputs import Inputs, Reading
from deft.training.once import once_a_label
from deft.training.precision import resolve_precision
from deft.training.workspace import Workspace
from deft.transition import best_threshold
from deft.tuning import Tuning
from deft.tuning.parts import entry_of, first_layer

MOST_REFERENCES = 20_000  # labelled images that others are compared with
ENOUGH = 20  # decisions of people from which the band of the noise rate is theirs


@contextlib.contextmanager
def frozen_features(
    encoder: DualEncoder, tuning: Tuning, recipe: Recipe, inputs: Inputs, workspace: Workspace, reading: Reading
) -> Iterator[Features | None]:
    """Give what the untouched encoder sees in each image; to be opened before a tuning is attached.

    Args:
        encoder: Untouched.
        tuning: What will change it; where that leaves the images alone, their pooled features are the inputs.
        recipe: None is given where its verdict needs no such features.
        inputs: What is read.
        workspace: Where features are kept.
        reading: Number format of the pass.
    """
    if recipe.verdict != "evidence":
        yield None
        return
    load = inputs.batches.loader.load
    if not tuning.changes_images:

        def project(rows: np.ndarray) -> tuple[Tensor, Tensor]:
            pooled = load(rows, None)
            with torch.no_grad():
                return F.normalize(encoder.project(pooled), dim=-1), pooled

        yield project
        return
    width = encoder.pooled_width
    layer = first_layer(encoder, tuning) if entry_of(encoder, tuning) == "tokens" else None

    def see(values: Tensor) -> Tensor:
        pooled = encoder.pool(encoder.stem(values)) if layer is None else encoder.pool(values, layer)
        return torch.cat([F.normalize(encoder.project(pooled), dim=-1).float(), pooled.float()], dim=1)

    precision = resolve_precision(reading.precision, encoder.device)
    progress = workspace.progress
    with (
        workspace.open() as folder,
        keep_outputs(see, inputs.batches, folder, views=1, precision=precision, progress=progress) as kept,
    ):

        def split(rows: np.ndarray) -> tuple[Tensor, Tensor]:
            both = kept.load(rows, None)
            return both[:, :-width], both[:, -width:]

        yield split


def learn_evidence(
    method: DualPromptTraining,
    images: LabeledImages,
    inputs: Inputs,
    frozen: Features,
    score: Callable[[np.ndarray], Scored],
) -> Evidence:
    """Return how much each expert counts on these images, and how their labels go wrong.

    What people decided says how often labels are wrong (`deft.evidence.decided`). Of a group of duplicates one image
    counts, as a reference one of each label.

    Args:
        method: The trained prompts.
        images: What was opened, N of them.
        inputs: What is read.
        frozen: Features of the untouched encoder.
        score: Gives s⁺ and s⁻ of rows in batches.
    """
    names, keys = images.words, content_keys(images.content_id)
    rows = inputs.batches.rows
    rows = rows[np.argsort(keys[rows], kind="stable")]
    rows = rows[once_a_label(inputs.groups[rows], inputs.batches.labels[rows])][:MOST_REFERENCES]
    pooled = torch.cat([frozen(part)[1].cpu().half() for part in np.array_split(rows, -(-len(rows) // 1024))])
    labels = torch.from_numpy(inputs.batches.labels[rows])
    with torch.no_grad():
        texts = class_features(method.encoder, names).cpu().float()
    start = Evidence(
        pooled,
        labels,
        texts,
        SHRINKAGES[0],
        Weighed(Explanations.only(torch.ones(len(EXPERTS)), LabelNoise.even(len(names), 0.1)), 1.0, 0.0, 0.0),
        Foreign.none(len(names)),
        0.5,
        torch.ones(len(EXPERTS)) / len(EXPERTS),
        (1.0, 1.0),
        hears_prompts=hears_prompts_of(len(names), len(rows), tunes_images=len(method.attachment.weights) > 0),
    )
    near = start.neighbours.near(pooled.float(), labels)
    sample = fair_sample(images, rows, inputs, keys, frozen, score)
    start = _shrunk(start, sample, near)
    drawn = torch.from_numpy((keys[rows] // 2 % FOLDS).astype(np.int64))
    evidence, experts = _weighed(start, sample, near, float(method.encoder.logit_scale), drawn)
    return _bordered(evidence, experts, sample)


def judge_by_evidence(evidence: Evidence, frozen: Features, scored: Scored, inputs: Inputs, scale: float) -> Verdicts:
    """Return verdicts on open inputs, (N,).

    What was learned of one image of a group of duplicates is left out for all of the group with its label, so that the
    frames of a film don't vote each other right.

    Args:
        evidence: How much each expert counts, and how labels go wrong.
        frozen: Features of the untouched encoder.
        scored: Batches with s⁺ and s⁻.
        inputs: What is read: it says which images show one picture.
        scale: Inverse temperature of the encoder.
    """
    rows, kin = len(inputs.groups), _kin(evidence, frozen, inputs)
    collector = Collector(rows, len(evidence.texts))
    none, given = np.full(rows, np.nan, np.float32), np.full(rows, -1, np.int64)
    for batch, positive, negative in scored:
        index, labels = batch.index.cpu().numpy(), batch.labels.cpu()
        seen = frozen(index)
        near = evidence.neighbours.near(seen[1].cpu().float(), labels, _at(kin, index))
        experts = evidence.experts(seen, (positive, negative), near, labels, scale)
        held = evidence.judge(experts, seen[1], labels)
        collector.add(replace(batch, labels=labels), held.odds, held.joint)
        margin = score_of(positive - negative, batch.labels)
        collector.keep(batch, seen[1], held.log_probs, margin)
        none[index], given[index] = held.none.numpy(), labels.numpy()
    verdicts = collector.verdicts()
    return suggesting(verdicts, given, evidence.threshold if evidence.judges else NO_BORDER, none)


def _kin(evidence: Evidence, frozen: Features, inputs: Inputs) -> dict[int, Tensor]:
    """Return the references that show the same picture as an image under the same label, by its row."""
    rows = np.flatnonzero(inputs.groups >= 0)
    own = list(zip(inputs.groups[rows].tolist(), inputs.batches.labels[rows].tolist(), strict=True))
    found: dict[tuple[int, int], set[int]] = {}
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        same = evidence.neighbours.copies(frozen(part)[1].cpu(), torch.from_numpy(inputs.batches.labels[part]))
        for place, reference in same.nonzero().tolist():
            found.setdefault(own[start + place], set()).add(reference)
    places = {key: torch.tensor(sorted(some)) for key, some in found.items()}
    return {row: places[key] for row, key in zip(rows.tolist(), own, strict=True) if key in places}


def _at(kin: dict[int, Tensor], index: np.ndarray) -> dict[int, Tensor]:
    """Return what concerns the images of a batch, by their places in it."""
    return {place: kin[row] for place, row in enumerate(index.tolist()) if row in kin}


def _shrunk(start: Evidence, sample: Sample, near: Near) -> Evidence:
    """Return the shrinkage under which the discriminant foretells left-out labels best."""
    copies = near.copies[sample.places]

    def likelihood(one: Evidence) -> float:
        return even_likelihood(one.discriminant.scores(sample.frozen[1], sample.labels, copies), sample.first)

    return max((replace(start, shrinkage=shrinkage) for shrinkage in SHRINKAGES), key=likelihood)


def _weighed(start: Evidence, sample: Sample, near: Near, scale: float, drawn: Tensor) -> tuple[Evidence, list[Tensor]]:
    """Return weights, noise and foreign images, from the scores of a fair sample; and what each expert says of it.

    Twice: what is found by the labels as they are says which of them to doubt, and with those that say so once their
    labels are doubted, all is weighed anew.
    """
    nearest, given, rest = near[sample.places], sample.first, ~sample.decided

    def heard(by: Evidence) -> list[Tensor]:
        return [
            part.log_softmax(dim=1) for part in by.experts(sample.frozen, sample.prompts, nearest, sample.labels, scale)
        ]

    experts = heard(start)
    first = fit_noise(experts, given, sample.part).explanations.best
    known = first.noise.log_chances(given)
    for weight, part in zip(first.weights[:-2], experts[:-2], strict=True):
        known = known + weight * part
    doubted = Doubted(sample.places[rest], known[rest], (float(first.weights[-2]), float(first.weights[-1])))
    cleaned = clean(start.references, drawn, near, start.neighbours, start.shrinkage, doubted)
    start = replace(start, cleaned=cleaned)
    experts = heard(start)
    found = weigh(experts, given, sample.part)
    if not found.judges:
        found = replace(found, untaught=log_bayes_factor(experts[0], given))
    strength = torch.stack(
        [weight * part.std(dim=1).mean() for weight, part in zip(found.explanations.weights, experts, strict=True)]
    )
    belief = found.explanations.believe(experts, given)
    seen = looks(start.discriminant.unusualness(sample.frozen[1]), belief.log_probs)
    foreign = Foreign.learn(seen, belief.joint.logsumexp(dim=1), len(start.texts))
    shares = strength / strength.sum().clamp(min=1e-9)
    return replace(start, weighed=found, foreign=foreign, shares=shares), experts


def _bordered(evidence: Evidence, experts: Sequence[Tensor], sample: Sample) -> Evidence:
    """Return the evidence with what people decided, the border of the verdict and the band of the noise rate."""
    found, decided = evidence.weighed, _decided(evidence, experts, sample)
    evidence = replace(evidence, weighed=_harder(found, decided.factor), decisions=decided.count)

    def wrong(by: Evidence) -> Tensor:
        return 1 - by.judge(experts, sample.frozen[1], sample.first).odds.sigmoid()

    lower, upper = 1 / found.hardness, 2 - 1 / found.hardness
    if decided.count >= ENOUGH:  # then they say how sure the factor is, and not what other data sets have shown
        lower, upper = math.exp(-WITHIN * decided.spread), math.exp(WITHIN * decided.spread)
    rate = max(float(wrong(evidence).mean()), 1e-9)
    easier, harder = (
        float(wrong(replace(evidence, weighed=_harder(evidence.weighed, factor))).mean()) / rate
        for factor in (lower, upper)
    )
    band = (min(easier, 1.0), max(harder, 1.0))
    return replace(evidence, threshold=1 - best_threshold(wrong(evidence)), band=band)


def _harder(found: Weighed, factor: float) -> Weighed:
    return replace(found, explanations=found.explanations.harder(factor))


def _decided(evidence: Evidence, experts: Sequence[Tensor], sample: Sample) -> Decided:
    """Return by how much the odds of an error change by what people decided.

    The experts leave out the label that was decided on, which is the one that the references know the image by.
    """
    some = sample.decided
    if not bool(some.any()):
        return Decided()
    pooled, first = sample.frozen[1][some], sample.first[some]

    def log_odds(factor: float) -> Tensor:
        changed = replace(evidence, weighed=_harder(evidence.weighed, factor))
        return changed.judge([part[some] for part in experts], pooled, first).odds

    return learn_factor(log_odds, first != sample.labels[some])
