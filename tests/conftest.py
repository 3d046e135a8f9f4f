"""Small real models for the tests: CLIP and SigLIP with random weights, built from their own configurations."""

from __future__ import annotations

import json
from collections.abc import Callable
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
    folder = tmp_path_factory.mktemp("clip")
    save_clip(folder)
    return folder


def save_clip(folder: Path) -> None:
    """Write a random CLIP of two layers into a folder."""
    from transformers import CLIPConfig, CLIPModel

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


SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
}


def _backbone(family: str) -> tuple[Any, Any]:
    """Class and configuration of a small image model."""
    import transformers as hf

    stages = {"hidden_sizes": [8, 12, 16, 24], "depths": [1, 1, 1, 1]}
    match family:
        case "vit":
            return hf.ViTForImageClassification, hf.ViTConfig(**SMALL, num_labels=7)
        case "vit-21k":  # a checkpoint without a head
            return hf.ViTModel, hf.ViTConfig(**SMALL)
        case "dinov2":
            return hf.Dinov2ForImageClassification, hf.Dinov2Config(**SMALL, num_labels=7)
        case "vit_mae":
            decoder = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
            config = hf.ViTMAEConfig(**SMALL, **{f"decoder_{name}": value for name, value in decoder.items()})
            return hf.ViTMAEForPreTraining, config
        case "deit-distilled":
            return hf.DeiTForImageClassificationWithTeacher, hf.DeiTConfig(**SMALL, num_labels=7)
        case "resnet":
            config = hf.ResNetConfig(embedding_size=8, layer_type="basic", num_labels=7, **stages)
            return hf.ResNetForImageClassification, config
        case "convnext":
            config = hf.ConvNextConfig(layer_scale_init_value=0.5, num_labels=7, image_size=32, **stages)
            return hf.ConvNextForImageClassification, config
        case "efficientnet":
            config = hf.EfficientNetConfig(width_coefficient=0.25, depth_coefficient=0.1, image_size=32, num_labels=7)
            config.hidden_dim = 320
            return hf.EfficientNetForImageClassification, config
        case "siglip":
            vision = dict(SMALL)
            return hf.SiglipForImageClassification, hf.SiglipConfig(vision_config=vision, num_labels=7)
        case _:
            raise ValueError(family)


def _processor(family: str) -> dict[str, Any]:
    side = {"height": 32, "width": 32}
    half = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    imagenet = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    match family:
        case "resnet" | "convnext":
            size = {"shortest_edge": 32}
            return {"image_processor_type": "ConvNextImageProcessor", "size": size, "crop_pct": 0.875, **imagenet}
        case "efficientnet":
            shared = {"do_center_crop": False, "include_top": True, "resample": 2}
            return {"image_processor_type": "EfficientNetImageProcessor", "size": side, **shared, **half}
        case _:
            return {"image_processor_type": "ViTImageProcessor", "size": side, "resample": 2, **half}


@pytest.fixture(scope="session")
def backbone_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the folder of a small random image model of a family, as the hub would have it."""
    made: dict[str, Path] = {}

    def folder_of(family: str) -> Path:
        if family not in made:
            made[family] = tmp_path_factory.mktemp(family)
            _save_random(*_backbone(family), made[family])
            processor = json.dumps(_processor(family))
            (made[family] / "preprocessor_config.json").write_text(processor)
        return made[family]

    return folder_of
