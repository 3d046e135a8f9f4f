"""Without a network nobody waits for the Hugging Face hub: its client tries each file six times."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from deft.data.load import load_images
from deft.encoders.load import load_encoder
from deft.encoders.vision import load_vision_model
from deft.errors import DataError, ModelError
from deft.network import at_once


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a network, where waiting is an error."""

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    def no_waiting(_: float) -> None:
        raise AssertionError("it waits for a hub that isn't there")

    for name in [name for name in os.environ if "proxy" in name.lower()]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("socket.getaddrinfo", unknown)
    monkeypatch.setattr("time.sleep", no_waiting)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


@pytest.mark.usefixtures("nowhere")
def test_a_data_set_of_the_hub_is_answered_at_once() -> None:
    with pytest.raises(DataError, match=r"'deft/no-such-data' is no file or folder here, and can't be loaded"):
        load_images("deft/no-such-data")


@pytest.mark.usefixtures("nowhere")
def test_a_model_that_is_not_here_is_one_sentence() -> None:
    for load in (load_encoder, load_vision_model):
        with pytest.raises(ModelError, match="the Hugging Face hub can't be reached"):
            load("deft/no-such-model")


@pytest.mark.usefixtures("nowhere")
def test_the_client_asks_again_afterwards(tmp_path: Path) -> None:
    with at_once("some/model"):
        assert constants.is_offline_mode()
    assert not constants.is_offline_mode()
    with at_once(str(tmp_path)):  # a folder, of which the hub knows nothing
        assert not constants.is_offline_mode()
