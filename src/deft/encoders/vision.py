"""Image classification backbones from the Hugging Face hub: everything but their last linear layer.

Shapes: B batch, S side of the images, D width of the features, K classes.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deft.arguments import checked
from deft.data.image_spec import ImageSpec
from deft.data.preprocessing import Preprocessing
from deft.encoders.hub import hub_id, model_type, quiet, unreachable
from deft.encoders.load import choose_device
from deft.encoders.preprocessor import read_spec, spec_settings
from deft.errors import ModelError
from deft.network import at_once

FAMILIES = "ViT, ViT-MAE, DINOv2, ResNet, ConvNeXt, Swin, EfficientNet, CLIP, SigLIP, ..."
MASKED_AUTOENCODER = "vit_mae"
LAYER_PARTS = ("q_proj", "query")
"""Names of the linear layer that makes a transformer layer's queries."""


class VisionModel(nn.Module):
    """An image classifier of the hub without its head: images to what its final linear layer reads.

    Args:
        model: A classification model of transformers.
        head: Path of its final linear layer, which is taken out.
        spec: The pixels it wants.
        name: What it is called: hub id or folder.
        kind: Its model type, as "convnext".
        trained_head: Whether the head came with the weights, so that it is worth keeping.
        assumed: What had to be assumed of it, for people.

    Attributes:
        visual: The model, with the identity where its head was.
        width: Width D of its features.
        head: Its own head, if that came with the weights.
        classes: Names of the classes of its own head.
        preprocessing: How photos become its pixels, where that isn't its own way.
    """

    preprocessing: Preprocessing | None = None

    def __init__(
        self,
        model: Any,
        head: str,
        *,
        spec: ImageSpec,
        name: str,
        kind: str,
        trained_head: bool = True,
        assumed: Sequence[str] = (),
    ) -> None:
        super().__init__()
        own = model.get_submodule(head)
        self.visual: nn.Module = model
        self.spec = spec
        self.name = name
        self.kind = kind
        self.assumed = tuple(assumed)
        self.width = int(own.in_features)
        self.classes: tuple[str, ...] = ()
        self._head_path = head
        # In a tuple, so that it is no part of the module: a new head takes its place.
        self._head = (own,) if trained_head else ()
        if trained_head:
            self.classes = tuple(str(model.config.id2label[k]) for k in range(own.out_features))
        self._put(nn.Identity())

    def __repr__(self) -> str:
        return f"VisionModel({self.name!r})"

    @property
    def head(self) -> nn.Linear | None:
        """Its own head; None if the checkpoint has none."""
        return self._head[0] if self._head else None

    @property
    def layers(self) -> nn.ModuleList:
        """Its transformer layers (or stages of them), in order; empty where it has none."""
        for _, module in self.visual.named_modules():
            if isinstance(module, nn.ModuleList) and len(module) and all(_attends(layer) for layer in module):
                return module
        return nn.ModuleList()

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.parameters()).device

    def features(self, pixels: Tensor) -> Tensor:
        """Return what the final linear layer reads, (B, D), of normalised pixels (B, 3, S, S)."""
        features: Tensor = self.visual(pixel_values=pixels).logits
        return features

    def save(self, folder: str | Path, head: nn.Linear, classes: Sequence[str]) -> None:
        """Write a folder that `transformers.pipeline("image-classification", folder)` loads and runs.

        Args:
            folder: Created if need be; gets `config.json`, `model.safetensors` and `preprocessor_config.json`.
            head: The final linear layer, (K, D).
            classes: Names of the K classes.

        Raises:
            ModelError: Its photos have a margin, which no such folder can state.
        """
        folder, preprocessor = Path(folder), json.dumps(spec_settings(self.spec), indent=2)
        folder.mkdir(parents=True, exist_ok=True)
        model: Any = self.visual
        model.config.id2label = dict(enumerate(classes))
        model.config.label2id = {name: k for k, name in enumerate(classes)}
        self._put(head)
        try:
            with quiet():
                model.save_pretrained(folder)
            (folder / "preprocessor_config.json").write_text(preprocessor, encoding="utf-8")
        finally:
            self._put(nn.Identity())

    def _put(self, module: nn.Module) -> None:
        """Put a module where the head is."""
        parent, _, name = self._head_path.rpartition(".")
        setattr(self.visual.get_submodule(parent), name, module)


@checked
def load_vision_model(name: str | Path, *, device: str = "auto") -> VisionModel:
    """Load an image classification backbone, in float32, evaluation mode and without its head.

    Args:
        name: Hub id or folder of any model that transformers' `AutoModelForImageClassification` knows, or of a
            ViT-MAE, whose encoder becomes a ViT.
        device: "auto" (an accelerator where there is one), "cpu", "cuda", "mps", ...

    Returns:
        The model, on its device.

    Raises:
        ModelError: The model can't be found, reached, read or used; the sentence says which and what else there is.
        SettingsError: There is no such device.

    Example:
        >>> backbone = load_vision_model("microsoft/resnet-50")  # doctest: +SKIP
        >>> backbone.width  # doctest: +SKIP
        2048
    """
    place = choose_device(device)
    name = hub_id(str(name))
    if name == "tiny":
        raise ModelError("'tiny' is no image classification model of the hub; load_encoder('tiny') gives it.")
    with at_once(name):
        kind = model_type(name, Path(name))
        if kind.startswith("deft-"):
            raise ModelError(f"{name!r} is a model of type {kind!r}, which is deft's own; expected one of {FAMILIES}")
        model, missing = _load(name, kind)
        spec, assumed = read_spec(name, model.config)
    head = _head_of(model, name)
    lost = [key for key in missing if not key.startswith(head)]
    if lost:
        raise ModelError(f"The weights of {name!r} are incomplete: {len(lost)} are missing, such as {lost[0]}.")
    vision = VisionModel(
        model,
        head,
        spec=spec,
        name=name,
        kind=kind,
        trained_head=len(missing) == 0,
        assumed=[assumed] if assumed else [],
    )
    vision = vision.float().eval().requires_grad_(False)
    _try(vision)
    return vision.to(place)


def _load(name: str, kind: str) -> tuple[Any, list[str]]:
    """Return a classification model, and the names of the weights that its checkpoint lacks."""
    from transformers import AutoModelForImageClassification

    try:
        # What the checkpoint lacks is drawn from the global generator, which isn't ours to move.
        with quiet(), torch.random.fork_rng():
            if kind == MASKED_AUTOENCODER:
                return _from_masked_autoencoder(name)
            model, report = AutoModelForImageClassification.from_pretrained(
                name, dtype=torch.float32, output_loading_info=True
            )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        if not Path(name).is_dir():
            raise unreachable(name) from error
        text = str(error)
        if "Unrecognized configuration class" in text:
            raise ModelError(
                f"{name!r} is a model of type {kind!r}, which has no image classifier. Known: {FAMILIES}"
            ) from error
        raise ModelError(f"The model in {name!r} can't be read: {text.strip().splitlines()[0]}") from error
    return model, sorted(report["missing_keys"])


def _from_masked_autoencoder(name: str) -> tuple[Any, list[str]]:
    """Return the encoder of a ViT-MAE (He et al., CVPR 2022) as a ViT classifier: same layers, nothing masked."""
    from transformers import ViTConfig, ViTForImageClassification, ViTMAEConfig, ViTMAEModel

    source, report = ViTMAEModel.from_pretrained(name, dtype=torch.float32, output_loading_info=True)
    settings = ViTMAEConfig.from_pretrained(name).to_dict()
    shared = ViTConfig().to_dict().keys() - {"model_type", "architectures", "transformers_version", "dtype"}
    model = ViTForImageClassification(ViTConfig(**{key: settings[key] for key in shared & settings.keys()}))
    left = model.vit.load_state_dict(source.state_dict(), strict=False)
    if left.unexpected_keys:
        raise ValueError(f"its weight {left.unexpected_keys[0]} has no place in a ViT")
    absent = [f"vit.{key}" for key in {*left.missing_keys, *report["missing_keys"]}]
    return model, sorted([*absent, "classifier.weight", "classifier.bias"])


def _head_of(model: Any, name: str) -> str:
    """Return the path of the linear layer whose size follows the number of classes."""
    widths = []
    for labels in (2, 3):
        config = copy.deepcopy(model.config)
        config.num_labels = labels
        with quiet(), torch.device("meta"):
            other = type(model)(config)
        linear = {path: part.out_features for path, part in other.named_modules() if isinstance(part, nn.Linear)}
        widths.append(linear)
    heads = [path for path, width in widths[0].items() if widths[1][path] != width]
    if len(heads) != 1:
        found = ", ".join(heads) or "none"
        raise ModelError(
            f"{name!r} ({type(model).__name__}) doesn't end in one linear layer (found: {found}), "
            f"so it can't be given a new head. Known to work: {FAMILIES}"
        )
    return str(heads[0])


def _attends(layer: nn.Module) -> bool:
    return any(path.rpartition(".")[2] in LAYER_PARTS for path, _ in layer.named_modules())


@torch.no_grad()
def _try(vision: VisionModel) -> None:
    """Show the model one blank image of the size that its processor gives."""
    side = vision.spec.size
    try:
        shape = tuple(vision.features(torch.zeros(1, 3, side, side)).shape)
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"{vision.name!r} can't read the {side} px images that its preprocessor_config.json asks for: {reason}"
        ) from error
    if shape != (1, vision.width):
        raise ModelError(f"{vision.name!r} gives features of shape {shape}, expected (1, {vision.width}).")
