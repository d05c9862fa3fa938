"""The frozen CLIP that every method shares: image views, text features, preprocessing."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import open_clip
import torch
import torch.nn.functional as F
from open_clip.transformer import VisionTransformer
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import functional as pictures

from benchmark.backbones import LOCAL, Backbone

LOCAL_KINDS = ("tokens", "value")


class Clip:
    """An open_clip model in eval mode and float32, all parameters frozen.

    `visual` is its image tower, `logit_scale` the inverse of the trained temperature (100 for
    OpenAI's models).
    """

    def __init__(self, backbone: Backbone, model: nn.Module, tokenizer, device: str) -> None:
        self.backbone, self.device = backbone, device
        self.model = model.eval().float().requires_grad_(False).to(device)
        self.tokenizer = tokenizer
        self.visual = self.model.visual
        size = self.visual.image_size
        self.image_size = size if isinstance(size, int) else size[0]
        settings = self.visual.preprocess_cfg
        self.mean = torch.tensor(settings["mean"], device=device).view(3, 1, 1)
        self.std = torch.tensor(settings["std"], device=device).view(3, 1, 1)
        self.logit_scale = float(self.model.logit_scale.exp())

    @property
    def preprocessing(self) -> str:
        """What `crop` does, as part of a cached picture's identity."""
        return f"clip resize-bicubic centre-crop {self.image_size}"

    def crop(self, image: Image.Image) -> Tensor:
        """CLIP's own test preprocessing up to, not including, normalisation: (3, S, S) uint8."""
        image = image.convert("RGB")
        if image.size != (self.image_size, self.image_size):
            bicubic = pictures.InterpolationMode.BICUBIC
            image = pictures.resize(image, self.image_size, bicubic)
            image = pictures.center_crop(image, self.image_size)
        return pictures.pil_to_tensor(image)

    def normalise(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) uint8 to what the image tower expects, float32 on the device."""
        return (pixels.to(self.device).float() / 255 - self.mean) / self.std

    def student(self) -> nn.Module:
        """A trainable copy of the image tower; the frozen one is not touched."""
        return copy.deepcopy(self.visual).requires_grad_(True)

    @torch.no_grad()
    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Text features (P, D) of whole prompts, not normalised."""
        tokens = self.tokenizer(list(prompts)).to(self.device)
        return self.model.encode_text(tokens)


def load(backbone: Backbone, device: str = "cpu") -> Clip:
    """The backbone's model on a device. Weights are read without unpickling code."""
    pretrained = None if backbone.model.startswith(LOCAL) else str(backbone.weights)
    model = open_clip.create_model(backbone.model, pretrained=pretrained, precision="fp32")
    if isinstance(model.visual, VisionTransformer):
        model.visual.output_tokens = True
    return Clip(backbone, model, open_clip.get_tokenizer(backbone.model), device)


def image_views(visual: nn.Module, images: Tensor, local: str | None) -> tuple[Tensor, Tensor]:
    """Global feature (N, D) and local features (N, L, D) of normalised images (N, 3, S, S).

    local   "tokens": a ViT's patch tokens through the final norm and projection.
            "value": the last attention's value and output projections at each place, as DualCoOp
            takes them from a ResNet's attention pool (`models/dualcoop.py`).
            None: no local features; the second result is empty (N, 0, D).
    Works with gradients: HP-DVAL trains the tower through it.
    """
    if not isinstance(visual, VisionTransformer):
        return _resnet_views(visual, images, local)
    if local == "value":
        return _vit_value_views(visual, images)
    pooled, tokens = visual(images)
    return pooled, tokens @ visual.proj if local else pooled.new_empty(len(pooled), 0, 1)


def _vit_value_views(visual: VisionTransformer, images: Tensor) -> tuple[Tensor, Tensor]:
    x = visual._embeds(images)
    *blocks, last = visual.transformer.resblocks
    for block in blocks:
        x = block(x)
    value = last.attn.out_proj(_value(last.attn, last.ln_1(x[:, 1:])))
    pooled = visual.ln_post(last(x)[:, 0]) @ visual.proj
    return pooled, visual.ln_post(value) @ visual.proj


def _value(attention: nn.MultiheadAttention, x: Tensor) -> Tensor:
    width = attention.embed_dim
    bias = attention.in_proj_bias[2 * width :]
    return F.linear(x, attention.in_proj_weight[2 * width :], bias)


def _resnet_views(visual: nn.Module, images: Tensor, local: str | None) -> tuple[Tensor, Tensor]:
    """CLIP's ModifiedResNet; tokens and value path are the same thing here."""
    x = visual.stem(images)
    x = visual.layer4(visual.layer3(visual.layer2(visual.layer1(x))))
    pool = visual.attnpool
    places = x.flatten(2).transpose(1, 2)
    return pool(x), pool.c_proj(pool.v_proj(places)) if local else places[:, :0]
