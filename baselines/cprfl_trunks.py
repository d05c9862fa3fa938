"""CPRFL's trunks: what shows it the places of a picture, CLIP's own image tower or a ResNet-101."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from benchmark.clip import imagenet
from benchmark.clip.image_features import image_features
from benchmark.common import seeding
from benchmark.data.preprocessing import MEAN, STD
from benchmark.method import Run

NAMES = ("clip", "resnet101", "resnet101-random")
# torchvision's first weights, which its `pretrained` gave when the authors wrote; timm keeps them
# as safetensors, under torchvision's names.
ARCHITECTURE = "resnet101"
SOURCE = imagenet.Source("timm/resnet101.tv_in1k")


def make(name: str, run: Run, local: str, width: int) -> nn.Module:
    """A trainable trunk on the run's device, from normalised pictures to places (B, L, `.width`).

    name    "clip": a copy of the run's image tower; "resnet101": torchvision's, with ImageNet-1K
            weights; "resnet101-random": the same without weights, for tests
    local   the kind of CLIP's local features; the ResNet has its last map alone
    width   of CLIP's feature space
    InputError for weights that are not on this machine; when called, for a CLIP without places.
    """
    if name == "clip":
        return ClipPlaces(run.clip.student(), local, width)
    path = weights(name)
    with seeding.aside(run.seed("trunk"), "cpu"):
        trunk = ResNetPlaces(run)
    if path:
        SOURCE.fill(trunk.network, path, ARCHITECTURE, "fc.")
    return trunk.to(run.device)


def weights(name: str) -> Path | None:
    """The trunk's weights beside CLIP's in the hub cache of this machine; None without any.

    InputError if they are not there.
    """
    return SOURCE.path("hyperparameter trunk: 'resnet101'") if name == "resnet101" else None


def places(maps: Tensor) -> Tensor:
    """The places (B, H W, D) of feature maps (B, D, H, W), row by row."""
    return maps.flatten(2).transpose(1, 2)


class ClipPlaces(nn.Module):
    """CLIP's image tower, whose places are in the space that it shares with texts."""

    def __init__(self, tower: nn.Module, local: str, width: int) -> None:
        super().__init__()
        self.tower, self.local, self.width = tower, local, width

    def train(self, mode: bool = True) -> nn.Module:
        """Always in eval mode: a batch norm keeps CLIP's statistics, as in all methods here."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        return image_features(self.tower, images, self.local)[1]


class ResNetPlaces(nn.Module):
    """An ImageNet ResNet up to its last map, 32 pixels a place; in training its batch norms learn.

    Pictures come normalised for CLIP and are normalised anew as ImageNet's; raw ones stay as they
    are, which is what the authors show it.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        from torchvision.models import get_model

        self.as_trained = imagenet.AsTrained(run.clip, run.preprocess, MEAN, STD)
        self.network = get_model(ARCHITECTURE, weights=None)
        self.width = self.network.fc.in_features
        self.network.avgpool, self.network.fc = nn.Identity(), nn.Identity()
        self.network.to(memory_format=torch.channels_last)  # convolutions are faster

    def forward(self, images: Tensor) -> Tensor:
        net = self.network
        x = net.maxpool(net.relu(net.bn1(net.conv1(self.as_trained(images)))))
        return places(net.layer4(net.layer3(net.layer2(net.layer1(x)))))
