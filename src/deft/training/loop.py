"""The only training loop: a method yields losses, `fit` minimises them."""

from __future__ import annotations

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from deft.arguments import checked
from deft.progress import Progress, Silent
from deft.training.batches import Batches
from deft.training.checkpoint import Checkpoint, keep, restore
from deft.training.finite import NotFinite
from deft.training.optimization import Optimization
from deft.training.precision import autocast, resolve_precision
from deft.training.processes import Processes

MENDS = "A smaller learning rate or precision float32 usually mends this."


class Training(nn.Module, ABC):
    """What a run trains: in each epoch it looks at the data and yields the losses to minimise.

    It owns its networks and memories, so its `state_dict` is all there is to a checkpoint.

    Example:
        >>> class Plain(Training):  # doctest: +SKIP
        ...     def losses(self, train, epoch):
        ...         for batch in train.epoch(epoch):
        ...             yield cross_entropy(self.network(batch.inputs), batch.labels).mean()
    """

    @abstractmethod
    def losses(self, train: Batches, epoch: int) -> Iterator[Tensor]:
        """Yield the scalar loss of each step of an epoch; after each one, the weights have moved.

        A loss that has no gradient is a step that changes nothing. With gradients accumulated, the weights move
        after every few losses.

        Args:
            train: The training samples.
            epoch: Counted from 0.
        """

    @abstractmethod
    def predict(self, inputs: Tensor) -> Tensor:
        """Return the class scores of a batch.

        Args:
            inputs: What the network takes, B of them.

        Returns:
            Logits, (B, K).
        """

    def starts_afresh(self, epoch: int) -> bool:
        """Return whether an epoch begins with new weights, so that the optimizer's memory of the old ones must go.

        Args:
            epoch: Counted from 0.
        """
        return False

    def settled(self) -> bool:
        """Return whether to leave out the epochs that are left, since they would change nothing.

        Asked once after each epoch, in evaluation mode, before what was learned is kept.
        """
        return False

    def rate_scale(self, epoch: int) -> float:
        """Return what the learning rate of an epoch is multiplied by.

        Args:
            epoch: Counted from 0.
        """
        return 1.0

    def stage(self, epoch: int, epochs: int) -> tuple[int, int] | None:
        """Return an epoch's place in the schedule of the learning rate: the epochs before it, and all epochs.

        A method that trains in stages lets the schedule begin again with each of them, or has the rate stay.

        Args:
            epoch: Counted from 0.
            epochs: Epochs of the run.

        Returns:
            Epochs behind it, and epochs in all, of its stage; None if the rate stays as it is after the warm-up.
        """
        return epoch, epochs


@checked
def fit(
    method: Training,
    train: Batches,
    *,
    epochs: int,
    optimization: Optimization | None = None,
    checkpoint: Checkpoint | None = None,
    progress: Progress | None = None,
    seed: int = 0,
) -> Training:
    """Train a method.

    Args:
        method: Yields the losses.
        train: The samples, in an order that depends on seed and epoch alone.
        epochs: How often each sample is seen.
        optimization: How the losses are minimised.
        checkpoint: Where to keep the run; None keeps nothing.
        progress: Told of every step.
        seed: Seeds what a network itself draws at random, such as dropout.

    Returns:
        The same method, trained.

    Raises:
        NotFinite: A loss is not finite; the sentence names epoch and step.
        DataError: The checkpoint to resume from belongs to another run.

    Example:
        >>> fit(method, train, epochs=10, optimization=Optimization(learning_rate=5e-4))  # doctest: +SKIP
    """
    for _ in epochs_of(
        method,
        train,
        epochs=epochs,
        optimization=optimization,
        checkpoint=checkpoint,
        progress=progress,
        seed=seed,
    ):
        pass
    return method


def epochs_of(
    method: Training,
    train: Batches,
    *,
    epochs: int,
    optimization: Optimization | None = None,
    checkpoint: Checkpoint | None = None,
    progress: Progress | None = None,
    seed: int = 0,
) -> Iterator[int]:
    """Train as `fit` does, with a pause after every epoch, for those who want to look.

    Args:
        method: Yields the losses.
        train: The samples, in an order that depends on seed and epoch alone.
        epochs: How often each sample is seen.
        optimization: How the losses are minimised.
        checkpoint: Where to keep the run; None keeps nothing.
        progress: Told of every step.
        seed: Seeds what a network itself draws at random, such as dropout.

    Yields:
        The number of epochs done.
    """
    settings = optimization or Optimization()
    tell = progress or Silent()
    weights = [weight for weight in method.parameters() if weight.requires_grad]
    optimizer = settings.build(weights)
    stepper = _Stepper(optimizer, weights, settings, train)
    start = restore(method, optimizer, stepper.scaler, checkpoint) if checkpoint else 0
    for epoch in range(start, epochs):
        if method.starts_afresh(epoch):
            optimizer.state.clear()
        method.train()
        scale, where = method.rate_scale(epoch), f"epoch {epoch + 1} of {epochs}"
        place = method.stage(epoch, epochs)
        paced = settings if place is not None else replace(settings, schedule="constant")
        rates = _rates(paced, *(place or (epoch, epochs)), scale, len(train))
        with _drawing(seed, epoch, train.device):
            steps = stepper.run(method.losses(train, epoch), rates, where)
            tracked = tell.track(steps, f"Training, epoch {epoch + 1}/{epochs}", total=len(train))
            _measure(tell, tracked, epoch, len(train))
        method.eval()
        over = method.settled()
        if checkpoint and train.processes.writes:
            # A run that has ended has no epochs left, also when it is resumed.
            keep(method, optimizer, stepper.scaler, checkpoint, epochs if over else epoch + 1)
        train.processes.wait()
        yield epoch + 1
        if over:
            return


def _measure(tell: Progress, steps: Iterator[tuple[float, float]], epoch: int, batches: int) -> None:
    """Take the steps of an epoch, and tell their losses; an epoch that takes more than a step a batch fills its own."""
    losses = []
    for number, (loss, rate) in enumerate(steps):
        step = epoch * batches + number
        losses.append(loss)
        tell.measure("training/loss", loss, step)
        tell.measure("training/learning_rate", rate, step)
    if losses:
        tell.measure("training/epoch_loss", sum(losses) / len(losses), epoch + 1)


def _rates(settings: Optimization, epoch: int, epochs: int, scale: float, steps: int) -> Iterator[float]:
    """Yield the learning rate of each step of an epoch; a method may take more steps than there are batches."""
    step = 0
    while True:
        yield scale * settings.rate(epoch + min(step / max(steps, 1), 1 - 1e-9), epochs)
        step += 1


@contextlib.contextmanager
def _drawing(seed: int, epoch: int, device: torch.device) -> Iterator[None]:
    """Seed the generators for one epoch; afterwards they continue as if nothing had been drawn."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed * 1_000_003 + epoch)
        yield


class _Stepper:
    """Turns a stream of losses into steps of the optimizer."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        weights: list[nn.Parameter],
        settings: Optimization,
        train: Batches,
    ) -> None:
        self._optimizer = optimizer
        self._weights = weights
        self._settings = settings
        self._train = train
        self._processes: Processes = train.processes
        self._device = train.device
        self._dtype = resolve_precision(settings.precision, train.device)
        self.scaler = torch.amp.GradScaler(self._device.type, enabled=self._dtype == torch.float16)

    def run(self, losses: Iterator[Tensor], rates: Iterator[float], where: str) -> Iterator[tuple[float, float]]:
        """Yield each loss with its rate; the optimizer steps after every `accumulate` of them, and at the end."""
        waiting = 0
        for step, rate in enumerate(rates, start=1):
            with autocast(self._dtype, self._device):
                loss = next(losses, None)
            if loss is None:
                break
            value = self._check(loss, f"{where}, step {step}")
            self._backward(loss)
            waiting += 1
            if waiting == self._settings.accumulate:
                self._step(rate)
                waiting = 0
            yield value, rate
        if waiting:
            self._step(rate)

    def _check(self, loss: Tensor, where: str) -> float:
        # One number per step crosses from the device; a loss that is no number must not go unnoticed.
        value = float(loss.detach())
        if not math.isfinite(value):
            raise NotFinite(f"The loss became {value} in {where}", self._train.latest, MENDS)
        return value

    def _backward(self, loss: Tensor) -> None:
        if loss.requires_grad:
            self.scaler.scale(loss / self._settings.accumulate).backward()

    def _step(self, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._processes.join_gradients(self._weights)
        if any(weight.grad is not None for weight in self._weights):
            if self._settings.clip is not None:
                self.scaler.unscale_(self._optimizer)
                nn.utils.clip_grad_norm_(self._weights, self._settings.clip)
            self.scaler.step(self._optimizer)
            self.scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
