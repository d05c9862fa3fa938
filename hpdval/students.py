"""The image encoders that HP-DVAL trains: a copy of CLIP's own, or an ImageNet ViT-B/16."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from benchmark.clip import image_features as clip_features
from benchmark.clip import imagenet
from benchmark.common import identity
from benchmark.common.errors import InputError
from benchmark.method import Run

NAMES = ("clip", "imagenet", "imagenet-random")
# ViT-B/16, patch 16 at 224 pixels, trained on ImageNet-1K alone. Which such weights the authors
# took is not stated.
ARCHITECTURE = "vit_base_patch16_224.augreg_in1k"
SOURCE = imagenet.Source("timm/vit_base_patch16_224.augreg_in1k")


def make(name: str, run: Run, local: str) -> nn.Module:
    """A trainable student on the run's device, in eval mode; see `image_features`.

    name    "clip": a copy of CLIP's image tower; "imagenet": timm's ViT-B/16 with ImageNet-1K
            weights and a new embedding into CLIP's feature space; "imagenet-random": the same
            without weights, for tests
    local   which local features will be asked for; of an ImageNet student there are "tokens" only
    InputError for other local features, and for weights that are not on this machine.
    """
    if name == "clip":
        return run.clip.student()
    if local != "tokens":
        raise InputError(f"hyperparameter local: '{local}' with student '{name}'; set it to tokens")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed("student"))
        student = ImageNetStudent(run)
    if path := weights(name):
        SOURCE.fill(student.tower, path, ARCHITECTURE, "head.")
    return student.eval().to(run.device)


def image_features(student: nn.Module, images: Tensor, local: str | None) -> tuple[Tensor, Tensor]:
    """f_cls (N, D) and f_j (N, L, D) of normalised images (N, 3, S, S), in CLIP's space.

    local   the kind of f_j, as in clip/image_features.py; None: none, (N, 0, D)
    """
    if isinstance(student, ImageNetStudent):
        return student(images)
    return clip_features.image_features(student, images, local)


def digest(name: str) -> str | None:
    """sha256 of the weights that the student starts from beside CLIP's; None without any."""
    path = weights(name)
    return identity.sha256(path) if path else None


def weights(name: str) -> Path | None:
    """The student's weights beside CLIP's in the hub cache of this machine; None without any.

    InputError if they are not there.
    """
    return SOURCE.path("hyperparameter student: 'imagenet'") if name == "imagenet" else None


class ImageNetStudent(nn.Module):
    """ViT-B/16 and an embedding of two linear layers that takes its tokens to CLIP's space.

    The layers and the tanh between them are those that the released code builds and leaves
    unused; the text only says that there are two. Images come normalised for CLIP and are
    normalised anew as the ViT was trained; raw ones stay as they are.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        import timm

        clip = run.clip
        self.tower = timm.create_model(
            ARCHITECTURE, pretrained=False, num_classes=0, dynamic_img_size=True
        )
        space = clip.encode_text(["a photo"]).shape[1]
        self.embedding = nn.Sequential(
            nn.Linear(self.tower.num_features, space), nn.Tanh(), nn.Linear(space, space)
        )
        mean, std = (self.tower.default_cfg[key] for key in ("mean", "std"))
        self.as_trained = imagenet.AsTrained(clip, run.preprocess, mean, std)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Embedded class token (N, D) and patch tokens (N, L, D)."""
        tokens = self.embedding(self.tower.forward_features(self.as_trained(images)))
        return tokens[:, 0], tokens[:, self.tower.num_prefix_tokens :]
