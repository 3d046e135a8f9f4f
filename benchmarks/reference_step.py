"""The plain way, for comparison: what one step costs when nothing is shared, cut or batched."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from deft.encoders.clip import ClipEncoder
from deft.encoders.prompt_plan import PromptPlan
from deft.prompts.learned import DualPrompts, PromptSettings
from deft.tuning import VPT

PROMPTS = 20


def plain_prompts(encoder: ClipEncoder, plan: PromptPlan, context: Tensor) -> Tensor:
    """Unit features (K, D) of one prompt set, every prompt padded to full length through every layer."""
    model: Any = encoder.text.model
    text, length = model.text_model, encoder.text.max_length
    table = text.embeddings.token_embedding.weight
    ids = torch.zeros(len(plan), length, dtype=torch.int64)
    for k, slots in enumerate(plan.prompts):
        ids[k, : len(slots)] = torch.tensor([max(slot, 0) for slot in slots])
    embedded = table[ids]
    # The class name stands last, so all contexts fill the same places.
    size = len(context)
    embedded = torch.cat([embedded[:, :1], context.expand(len(plan), -1, -1), embedded[:, 1 + size :]], dim=1)
    hidden = embedded + text.embeddings.position_embedding.weight
    mask = torch.full((length, length), float("-inf")).triu(1)[None, None]
    for layer in text.encoder.layers:
        hidden = layer(hidden, mask)
    ends = torch.tensor([len(slots) - 1 for slots in plan.prompts])
    pooled = text.final_layer_norm(hidden)[torch.arange(len(plan)), ends]
    return F.normalize(model.text_projection(pooled), dim=-1)


def plain_images(model: Any, pixels: Tensor, prompts: Tensor) -> Tensor:
    """Unit features (B, D): whole layers of Hugging Face's CLIP over image and prompt tokens, (layers, n, W)."""
    vision = model.vision_model
    tokens = vision.pre_layrnorm(vision.embeddings(pixels))
    image = tokens.shape[1]
    for layer, own in zip(vision.encoder.layers, prompts, strict=True):
        tokens = layer(torch.cat([tokens[:, :image], own.expand(len(tokens), -1, -1)], dim=1), None)
    return F.normalize(model.visual_projection(vision.post_layernorm(tokens[:, 0])), dim=-1)


class PlainStep:
    """One step of phase 1 as the authors' code takes it, in float32.

    Args:
        encoder: Its text tower is used.
        model: A `transformers.CLIPModel` of the same weights, as it comes; its image tower is used.
        names: Class names.
        pixels: Photos, uint8 (B, H, W, 3).
        labels: Their classes, (B,).
    """

    def __init__(self, encoder: ClipEncoder, model: Any, names: list[str], pixels: np.ndarray, labels: Tensor) -> None:
        self.encoder, self.model, self.labels, self.spec = encoder, model, labels, encoder.spec
        self.photos = [Image.fromarray(photo) for photo in pixels]
        self.prompts = DualPrompts(encoder.text, names, PromptSettings(length=16))
        with VPT(length=PROMPTS).attach(encoder, seed=0) as attachment:
            self.visual = nn.Parameter(attachment.weights["prompts"].detach().clone())
        weights = [*self.prompts.parameters(), self.visual]
        self.optimizer = torch.optim.SGD(weights, lr=0.03, momentum=0.9)

    def _transform(self, photo: Image.Image) -> Tensor:
        wide = photo.resize((256, 256), Image.Resampling.BILINEAR).crop((16, 16, 240, 240))
        values = torch.from_numpy(np.asarray(wide, np.float32) / 255).permute(2, 0, 1)
        mean, std = torch.tensor(self.spec.mean).view(3, 1, 1), torch.tensor(self.spec.std).view(3, 1, 1)
        return (values - mean) / std

    def run(self) -> None:
        images = torch.stack([self._transform(photo) for photo in self.photos])
        features = plain_images(self.model, images, self.visual)
        scale = self.encoder.logit_scale
        positive = scale * features @ plain_prompts(self.encoder, self.prompts.plan, self.prompts.positive).T
        negative = scale * features.detach() @ plain_prompts(self.encoder, self.prompts.plan, self.prompts.negative).T
        loss = self._loss(positive, negative)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def _loss(self, positive: Tensor, negative: Tensor) -> Tensor:
        """Softmax over the pair for every class, over the classes for both sets, and clipped logarithms."""
        clean = torch.stack([positive.detach(), negative]).softmax(dim=0)[0]
        probs, _ = positive.softmax(dim=1), negative.softmax(dim=1)
        rows = torch.arange(len(self.labels))
        own = clean[rows, self.labels]
        other = clean[rows, (self.labels + 1) % clean.shape[1]]
        target = torch.where(own > 0.5, self.labels, probs.argmax(dim=1))
        kept = -probs[rows, self.labels].clamp(1e-5).log() * (own > 0.5)
        dual = -clean[rows, target].clamp(1e-5).log() - (1 - other).clamp(1e-5).log()
        return kept.sum() / (own > 0.5).sum().clamp(1) + dual.mean()
