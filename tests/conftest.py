"""Small real models for the tests: CLIP and SigLIP with random weights, built from their own configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

WORDS = "a photo of the cat dog bird ship truck zero one two three four five six seven eight nine horse frog deer"


def _save_tokenizer(folder: Path, *, start: str | None, pad: str) -> int:
    """A word-level byte-pair tokenizer; returns the size of its vocabulary."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["<unk>", "<pad>", "<x>", "<start>", "<end>"]
    trainer = trainers.BpeTrainer(vocab_size=160, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([WORDS, "abcdefghijklmnopqrstuvwxyz0123456789.,-'"], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=start, eos_token="<end>", pad_token=pad, unk_token="<unk>"
    )
    fast.save_pretrained(folder)
    return len(fast)


def _save_random(kind: Any, config: Any, folder: Path) -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind(config)
        # CLIP starts near zero, where every class looks alike; wider weights make classes differ.
        for weight in model.parameters():
            if weight.ndim > 1:
                torch.nn.init.normal_(weight, std=0.2)
    model.save_pretrained(folder)


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random CLIP of two layers, as `save_pretrained` writes it."""
    from transformers import CLIPConfig, CLIPModel

    folder = tmp_path_factory.mktemp("clip")
    vocabulary = _save_tokenizer(folder, start="<start>", pad="<pad>")
    text = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 40,
        "projection_dim": 24,
        "bos_token_id": 3,
        "eos_token_id": 4,
        "pad_token_id": 1,
    }
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 8,
        "projection_dim": 24,
    }
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
    _save_random(CLIPModel, config, folder)
    processor = {
        "do_center_crop": True,
        "resample": 3,
        "image_mean": [0.48, 0.46, 0.41],
        "image_std": [0.27, 0.26, 0.28],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


@pytest.fixture(scope="session")
def siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random SigLIP of two layers."""
    from transformers import SiglipConfig, SiglipModel

    folder = tmp_path_factory.mktemp("siglip")
    vocabulary = _save_tokenizer(folder, start=None, pad="<pad>")
    text = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 32,
        "projection_size": 32,
        "bos_token_id": 3,
        "eos_token_id": 4,
    }
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 8,
    }
    _save_random(SiglipModel, SiglipConfig(text_config=text, vision_config=vision), folder)
    processor = {"resample": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


@pytest.fixture(scope="session")
def siglip2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random SigLIP 2 of variable resolution, used here at 4 x 4 patches."""
    from transformers import Siglip2Config, Siglip2Model

    folder = tmp_path_factory.mktemp("siglip2")
    vocabulary = _save_tokenizer(folder, start=None, pad="<pad>")
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    ids = {"bos_token_id": 3, "eos_token_id": 4}
    text = {**size, **ids, "vocab_size": vocabulary, "max_position_embeddings": 32, "projection_size": 32}
    vision = {**size, "patch_size": 8, "num_patches": 16}
    _save_random(Siglip2Model, Siglip2Config(text_config=text, vision_config=vision), folder)
    return folder
