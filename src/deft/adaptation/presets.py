"""How each kind of backbone is trained: the settings of the authors' second phase."""

from __future__ import annotations

from dataclasses import replace

from deft.training.optimization import Optimization
from deft.training.precision import Precision
from deft.tuning import Full, Layers, Tuning

SGD_OF_CLIP = Optimization(learning_rate=5e-4, momentum=0.9, weight_decay=5e-4)

FULL: dict[str, Optimization] = {
    "clip": SGD_OF_CLIP,
    "siglip": SGD_OF_CLIP,
    "siglip2": SGD_OF_CLIP,
    "vit": Optimization(learning_rate=1e-2, momentum=0.0, weight_decay=1e-5),
    "resnet": Optimization(learning_rate=1e-3, weight_decay=1e-5, optimizer="adamw"),
    "convnext": Optimization(learning_rate=1e-4, weight_decay=1e-4, optimizer="adamw"),
    "vit_mae": Optimization(learning_rate=1e-4, weight_decay=1e-3, optimizer="adamw"),
}
"""By model type, for full fine-tuning: the authors' code, `main_synthetic_*`, second phase (cosine over epochs)."""

OTHER = Optimization(learning_rate=1e-4, weight_decay=1e-4, optimizer="adamw")
EFFICIENT = Optimization(learning_rate=0.03, momentum=0.9, weight_decay=5e-4)
"""For few trained weights, whatever the backbone: what the authors give their parameter-efficient tuning."""


def preset(kind: str, tuning: Tuning, *, precision: Precision = "auto") -> Optimization:
    """Return the optimizer for a backbone and what of it learns.

    Args:
        kind: Model type of the backbone, as in its `config.json`.
        tuning: What of it learns; full fine-tuning has settings by backbone, all others share theirs.
        precision: Number format of the activations.

    Example:
        >>> preset("convnext", Full()).learning_rate
        0.0001
    """
    chosen = FULL.get(kind, OTHER) if isinstance(tuning, Full | Layers) else EFFICIENT
    return replace(chosen, precision=precision)
