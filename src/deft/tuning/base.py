"""Tunings: small sets of trainable weights that attach themselves to an encoder and come off again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from types import TracebackType
from typing import ClassVar

from torch import nn

from deft.encoders.base import DualEncoder
from deft.errors import ModelError
from deft.shown import short_repr


class Attachment(nn.Module):
    """What a tuning added to an encoder: its trainable weights, and the way back.

    Its `state_dict` is all that has to be kept of a tuning. Leaving its context, or calling `detach`, makes the
    encoder what it was, bit by bit.

    Args:
        weights: The trainable parameters by name.
        undo: Takes everything off the encoder again.
        merge: Puts what was learned into the encoder's own weights; None where that can't be.
    """

    def __init__(
        self,
        weights: Mapping[str, nn.Parameter],
        undo: Callable[[], None],
        merge: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        # A dot is the one character that a parameter's name can't hold.
        self.weights = nn.ParameterDict({name.replace(".", "/"): weight for name, weight in weights.items()})
        self._undo: Callable[[], None] | None = undo
        self._merge = merge

    def detach(self) -> None:
        """Take the tuning off the encoder; a second call does nothing."""
        if self._undo is not None:
            self._undo()
            self._undo = None

    def merge(self) -> None:
        """Make what was learned part of the encoder's own weights, for good.

        Raises:
            ModelError: The tuning adds parts that the encoder has no weights for.
        """
        if self._merge is None:
            raise ModelError(
                "What this tuning learned lies beside the encoder's weights and can't become part of them."
            )
        self._merge()
        self._undo = None

    def __enter__(self) -> Attachment:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()


class Tuning(ABC):
    """How the image tower adapts to a data set; a frozen value, chosen by its type.

    Attributes:
        changes_images: Whether image features change while it trains; if not, they are computed once.
        changes_stem: Whether what comes before the first layer changes; if not, its tokens may be kept.

    Example:
        >>> with LoRA(rank=8).attach(encoder, seed=0) as weights:  # doctest: +SKIP
        ...     optimizer = torch.optim.AdamW(weights.parameters())
    """

    changes_images: ClassVar[bool]
    changes_stem: ClassVar[bool]

    __repr__ = short_repr

    def first_layer(self, depth: int) -> int:
        """Return the number of the first layer that changes while it trains, from 0.

        What enters that layer stays as it is, so it may be kept between epochs (`deft.tuning.parts`).

        Args:
            depth: Number of layers of the image tower.

        Raises:
            SettingsError: It wants more layers than there are.
        """
        return 0

    @abstractmethod
    def attach(self, encoder: DualEncoder, *, seed: int) -> Attachment:
        """Put the tuning onto an encoder.

        Args:
            encoder: A frozen encoder; its own weights are restored when the attachment is detached.
            seed: Draws the initial weights.

        Returns:
            The trainable weights, and the way to take them off again.

        Raises:
            ModelError: The encoder lacks what the tuning needs.
        """

    def settings(self) -> dict[str, object]:
        """Return the tuning as plain JSON values, read back by `tuning_from_settings`."""
        assert is_dataclass(self)
        return {"type": type(self).__name__, **asdict(self)}
