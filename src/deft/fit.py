"""The only training loop: a method yields losses, `fit` minimises them."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from deft.data.batches import Batches
from deft.errors import DataError, ModelError, SettingsError
from deft.files import replace_file
from deft.precision import Precision, autocast, resolve_precision
from deft.progress import Progress, Silent


class Method(nn.Module, ABC):
    """A way to learn from noisy labels: in each epoch, look at the data and yield the losses to minimise.

    A method owns its networks and memories, so its `state_dict` is all there is to a checkpoint.
    """

    @abstractmethod
    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        """Yield the scalar loss of each step of an epoch; after each one, the weights have moved.

        Args:
            train: The training samples.
            epoch: Counted from 0.
        """

    @abstractmethod
    def predict(self, inputs: Tensor) -> Tensor:
        """Class scores of a batch of inputs, (B, K)."""


@dataclass(frozen=True)
class Optimization:
    """How losses are minimised; the defaults are DeFT's for phase 1.

    Args:
        learning_rate: Of SGD, at the start; it falls to zero by a cosine over all epochs.
        momentum: Of SGD.
        weight_decay: Of SGD.
        clip: Largest norm of the gradient; None leaves it alone.
        precision: Number format of the activations; weights are float32 in any case.
    """

    learning_rate: float = 0.03
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip: float | None = None
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise SettingsError(f"The learning rate must be positive, not {self.learning_rate}.")

    def rate(self, epoch: int, epochs: int) -> float:
        """Learning rate of an epoch: the cosine of Loshchilov & Hutter 2017, one step per epoch as in DeFT."""
        return self.learning_rate * (1 + math.cos(math.pi * epoch / epochs)) / 2


@dataclass(frozen=True)
class Checkpoint:
    """Where a run is kept between epochs, and what it belongs to.

    Args:
        path: File, replaced as a whole after every epoch.
        fingerprint: Of data and settings; a checkpoint with another one is refused.
        resume: Whether to go on from the file if it is there.
    """

    path: Path
    fingerprint: str
    resume: bool = False


def fit(
    method: Method,
    train: Batches,
    *,
    epochs: int,
    optimization: Optimization | None = None,
    checkpoint: Checkpoint | None = None,
    progress: Progress | None = None,
) -> Method:
    """Train a method.

    Args:
        method: Yields the losses.
        train: The samples, in an order that depends on seed and epoch alone.
        epochs: How often each sample is seen.
        optimization: How the losses are minimised.
        checkpoint: Where to keep the run; None keeps nothing.
        progress: Told of every step.

    Returns:
        The same method, trained.

    Raises:
        ModelError: A loss is not finite; the sentence names epoch and step.
        DataError: The checkpoint to resume from belongs to another run.
    """
    settings = optimization or Optimization()
    tell = progress or Silent()
    weights = [weight for weight in method.parameters() if weight.requires_grad]
    optimizer = torch.optim.SGD(
        weights,
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    start = _restore(method, optimizer, checkpoint) if checkpoint else 0
    stepper = _Stepper(optimizer, weights, settings, train.device)
    for epoch in range(start, epochs):
        stepper.set_rate(settings.rate(epoch, epochs))
        steps = stepper.run(method.losses(train, epoch), f"epoch {epoch + 1} of {epochs}")
        for _ in tell.track(steps, f"Training, epoch {epoch + 1}/{epochs}", total=len(train)):
            pass
        if checkpoint:
            _keep(method, optimizer, checkpoint, epoch + 1)
    return method


class _Stepper:
    """Turns a stream of losses into steps of the optimizer."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        weights: list[nn.Parameter],
        settings: Optimization,
        device: torch.device,
    ) -> None:
        self._optimizer = optimizer
        self._weights = weights
        self._clip = settings.clip
        self._device = device
        self._dtype = resolve_precision(settings.precision, device)
        self._scaler = torch.amp.GradScaler(device.type, enabled=self._dtype == torch.float16)

    def set_rate(self, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def run(self, losses: Iterator[Tensor], where: str) -> Iterator[None]:
        """One step per loss."""
        step = 0
        while True:
            with autocast(self._dtype, self._device):
                loss = next(losses, None)
            if loss is None:
                return
            step += 1
            # One number per step crosses from the device; a loss that is no number must not go unnoticed.
            value = float(loss.detach())
            if not math.isfinite(value):
                raise ModelError(
                    f"The loss became {value} in {where}, step {step}. "
                    "A smaller learning rate or precision float32 usually mends this."
                )
            self._step(loss)
            yield

    def _step(self, loss: Tensor) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        if loss.requires_grad:
            self._scaler.scale(loss).backward()
        if self._clip is not None:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self._weights, self._clip)
        self._scaler.step(self._optimizer)
        self._scaler.update()


def _keep(method: Method, optimizer: torch.optim.Optimizer, checkpoint: Checkpoint, epochs: int) -> None:
    tensors = {f"method.{name}": value.contiguous() for name, value in method.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = value.contiguous()
    notes = {"epochs": str(epochs), "fingerprint": checkpoint.fingerprint}
    with replace_file(checkpoint.path) as temporary:
        save_file(tensors, temporary, metadata={"deft": json.dumps(notes)})


def _restore(method: Method, optimizer: torch.optim.Optimizer, checkpoint: Checkpoint) -> int:
    """Load a checkpoint into method and optimizer; returns the number of epochs it has behind it."""
    if not checkpoint.resume or not checkpoint.path.is_file():
        return 0
    notes = checkpoint_notes(checkpoint.path)
    if notes["fingerprint"] != checkpoint.fingerprint:
        raise DataError(
            f"{checkpoint.path} was written with other images, labels or settings, so this run can't go on from "
            "it. Repeat the first command's options, or choose another output folder."
        )
    tensors = load_file(checkpoint.path)
    own = {key.removeprefix("method."): value for key, value in tensors.items() if key.startswith("method.")}
    method.load_state_dict(own)
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    return int(notes["epochs"])


def checkpoint_notes(path: Path) -> dict[str, str]:
    """What a checkpoint says of itself: `epochs` done and the `fingerprint` of its run.

    Raises:
        DataError: The file is no checkpoint of deft.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            notes = json.loads((file.metadata() or {})["deft"])
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise DataError(f"{path} is no checkpoint of deft.") from error
    return {str(key): str(value) for key, value in notes.items()}
