"""Where each name belongs in the joint space: a class has its classifier's vector, others are found by regression.

The joint space holds the main axes of the published classifier's weights, so that the vector of a class, as the
classifier has it, is the best text that the class can have. Names above the classes in WordNet get the mean of what
lies below them. For the other nouns a kernel ridge regression looks at the sentence embedding of the name, at that of
WordNet's gloss and at what the noun is a kind of; then a noun moves towards the known names that its sentence embedding
is very near to (a kitten to the cats, which WordNet knows only as a young mammal). Glyphs have directions of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scripts.tiny.words import Synset, Tree
from torch import Tensor

NAME, GLOSS, KINDS = 1.0, 1.0, 2.0  # weights of the three kernels
RIDGE = 0.3
FADING = 0.85  # of what a noun is a kind of, a step up the tree
KIN, KIN_FROM, KIN_WIDTH, KIN_HEAT = 0.5, 0.45, 0.05, 0.05  # share of the near names, and the cosines where it sets in
SHARED, OWN = 0.6, 0.8  # parts of a glyph's place: what all glyphs share, and what it has alone


@dataclass
class Nouns:
    """What is known of names before any picture is seen.

    Args:
        names: The names, N of them.
        embeddings: Unit sentence embeddings of the names, (N, E).
        sense: Synset of each name, a row of `glosses`; -1 for none.
        synsets: Ids of the synsets, S of them.
        glosses: Unit sentence embeddings of their glosses, (S, E).
        kinds: Unit vectors of what each is a kind of, (S, H).
    """

    names: list[str]
    embeddings: Tensor
    sense: Tensor
    synsets: list[str]
    glosses: Tensor
    kinds: Tensor

    def kernel(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Likeness of some names to others, (R, C)."""
        known = (self.sense[rows] >= 0)[:, None] & (self.sense[columns] >= 0)[None]
        a, b = self.sense[rows].clamp(min=0), self.sense[columns].clamp(min=0)
        meaning: Tensor = GLOSS * self.glosses[a] @ self.glosses[b].T + KINDS * self.kinds[a] @ self.kinds[b].T
        alike: Tensor = NAME * self.embeddings[rows] @ self.embeddings[columns].T + known * meaning
        return alike


def joint_axes(weights: Tensor, dim: int) -> Tensor:
    """Main axes of a classifier's weights (K, C) around their mean, (dim, C), orthonormal.

    A singular vector's sign is the library's whim (it changes with the number of threads); here the largest entry of
    each is positive, so that places that were computed at another time still fit.
    """
    axes: Tensor = torch.linalg.svd(weights - weights.mean(0), full_matrices=False).Vh[:dim]
    return axes * axes.gather(1, axes.abs().argmax(dim=1, keepdim=True)).sign()


def class_targets(weights: Tensor, axes: Tensor) -> Tensor:
    """Unit vectors of a classifier's classes in the joint space, (K, dim)."""
    return F.normalize((weights - weights.mean(0)) @ axes.T, dim=-1)


def tree_targets(tree: Tree, leaves: Tensor) -> dict[str, Tensor]:
    """Unit targets of every name in the tree; a name of several nodes goes to the one that it names first.

    Args:
        tree: The hypernym tree.
        leaves: Targets of its leaves, (K, D).
    """
    claims: dict[str, list[tuple[int, Tensor]]] = {}
    for node, names in tree.names.items():
        leaf = node in tree.leaves
        if not tree.under[node] or node.endswith("-own"):
            continue
        target = leaves[tree.leaves.index(node)] if leaf else leaves[tree.under[node]].mean(0)
        for place, name in enumerate(names):
            claims.setdefault(name, []).append((min(place, 1) if leaf else 2 + place, F.normalize(target, dim=0)))
    found = {}
    for name, claimed in claims.items():
        first = min(rank for rank, _ in claimed)
        found[name] = F.normalize(torch.stack([target for rank, target in claimed if rank == first]).mean(0), dim=0)
    return found


def name_targets(nouns: Nouns, known: dict[str, Tensor]) -> Tensor:
    """Unit targets of all names, (N, D): the known ones as they are, the others by regression and by their kin."""
    row = {name: number for number, name in enumerate(nouns.names)}
    rows = torch.tensor([row[name] for name in known])
    wanted = torch.stack(list(known.values()))
    centre = wanted.mean(0)
    gram = nouns.kernel(rows, rows)
    gram.diagonal().add_(RIDGE)
    weights = torch.linalg.solve(gram, wanted - centre)
    parts = torch.arange(len(nouns.names)).split(2000)
    targets = torch.cat([
        near_kin(F.normalize(centre + nouns.kernel(part, rows) @ weights, dim=-1),
                 nouns.embeddings[part] @ nouns.embeddings[rows].T, wanted)
        for part in parts
    ])  # fmt: skip
    targets[rows] = wanted
    return targets


def near_kin(targets: Tensor, alike: Tensor, wanted: Tensor) -> Tensor:
    """Unit targets (R, D), moved towards those of known names (K, D) that are very much alike (R, K)."""
    kin = F.normalize((alike / KIN_HEAT).softmax(dim=1) @ wanted, dim=-1)
    share = KIN * torch.sigmoid((alike.max(dim=1).values - KIN_FROM) / KIN_WIDTH)[:, None]
    return F.normalize((1 - share) * targets + share * kin, dim=-1)


def glyph_places(named: Tensor, glyphs: int, seed: int) -> Tensor:
    """Unit targets of glyphs, (G, D): what their captions have in common, and to each a direction of its own.

    Left to the regression, all digits would lie in one place.

    Args:
        named: What the regression gives for their captions, (C, D).
        glyphs: How many glyphs, G.
        seed: Draws the directions.
    """
    common = F.normalize(named.mean(0), dim=0)
    drawn = torch.randn(len(common), glyphs, generator=torch.Generator().manual_seed(seed))
    own = torch.linalg.qr(drawn).Q.T
    own = F.normalize(own - (own @ common)[:, None] * common, dim=-1)
    return F.normalize(SHARED * common + OWN * own, dim=-1)


def kinds_vectors(nouns: dict[str, Synset], synsets: list[str]) -> Tensor:
    """Unit vectors of what synsets are kinds of, (S, H): rare kinds weigh more, far ones less."""
    above = [_above(nouns, node) for node in synsets]
    counts: dict[str, int] = {}
    for steps in above:
        for node in steps:
            counts[node] = counts.get(node, 0) + 1
    shared = [node for node, count in counts.items() if count > 1]
    column = {node: number for number, node in enumerate(shared)}
    found = torch.zeros(len(synsets), len(column))
    for number, steps in enumerate(above):
        for node in steps.keys() & column.keys():
            found[number, column[node]] = FADING ** steps[node] * np.log(len(synsets) / counts[node])
    return F.normalize(found, dim=-1)


def _above(nouns: dict[str, Synset], node: str) -> dict[str, int]:
    """All synsets that one is a kind of, itself included, with the fewest steps to them."""
    steps, waiting = {node: 0}, [node]
    for reached in waiting:
        for parent in nouns[reached].parents:
            if parent not in steps:
                steps[parent] = steps[reached] + 1
                waiting.append(parent)
    return steps
