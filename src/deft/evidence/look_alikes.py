"""Whether errors between classes that look alike are those of the labels, or those of the experts.

Shapes: N images, K classes.
"""

from __future__ import annotations

from torch import Tensor

from deft.evidence.experts import evenly, mixed

MANY_OF_A_CLASS = 50  # images, on average, from which what learned from their labels knows look-alikes by itself
KNOWS = 0.25  # part of the way from chance to certainty that the text has to be sure of classes, to know them


def tells_look_alikes(text: Tensor, labels: Tensor) -> bool:
    """Return whether errors that fall on look-alikes can be told from the experts' own.

    Of a few images of each class what learned from their labels is wrong most of all between look-alikes, and surely
    so. That looks just like people's mistakes. The text doesn't, for it never saw a label, if it knows the classes.

    Args:
        text: Log-probabilities of each image by the zero-shot text, (N, K).
        labels: Given labels, (N,).
    """
    classes = text.shape[1]
    if len(labels) >= MANY_OF_A_CLASS * classes:
        return True
    weights, _ = evenly([text], labels)
    sure = float(mixed([text], weights).max(dim=1).values.exp().mean())
    return sure - 1 / classes >= KNOWS * (1 - 1 / classes)
