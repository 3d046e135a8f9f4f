"""The number format follows the hardware, never a timing."""

from __future__ import annotations

import pytest
import torch

from deft.errors import SettingsError
from deft.training import precision
from deft.training.precision import autocast, resolve_precision

CPU = torch.device("cpu")


def test_auto_follows_the_cpus_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: True)
    assert resolve_precision("auto", CPU) == torch.bfloat16
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: False)
    assert resolve_precision("auto", CPU) == torch.float32


@pytest.mark.parametrize(("has", "taken"), [(True, torch.bfloat16), (False, torch.float16)])
def test_auto_takes_bfloat16_on_gpus_that_have_it_in_hardware(
    monkeypatch: pytest.MonkeyPatch, has: bool, taken: torch.dtype
) -> None:
    """Older GPUs compute bfloat16 too, but by emulation, more slowly than float32."""

    def supported(including_emulation: bool = True) -> bool:
        return has or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert resolve_precision("auto", torch.device("cuda")) == taken


def test_named_formats() -> None:
    assert resolve_precision("float32", CPU) == torch.float32
    assert resolve_precision("bfloat16", CPU) == torch.bfloat16


def test_what_can_not_be_done_is_said() -> None:
    with pytest.raises(SettingsError, match="needs a GPU"):
        resolve_precision("float16", CPU)
    with pytest.raises(SettingsError, match="Unknown precision 'int4'"):
        resolve_precision("int4", CPU)  # type: ignore[arg-type]


def test_weights_stay_float32_under_autocast() -> None:
    layer = torch.nn.Linear(4, 4)
    with autocast(torch.bfloat16, CPU):
        output = layer(torch.zeros(1, 4))
    assert output.dtype == torch.bfloat16
    output.sum().backward()
    assert layer.weight.dtype == torch.float32
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype == torch.float32
