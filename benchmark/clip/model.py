"""The frozen CLIP that every method shares: its towers, its texts' features, copies to train."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from benchmark.clip.backbone import Backbone

_OWN = "train a copy (Clip.student, Clip.trainable) instead"


class Clip:
    """An open_clip model in eval mode and float32, all parameters frozen.

    `visual` is its image tower, `logit_scale` the inverse of the trained temperature (100 for
    OpenAI's models). `plain_text` makes PromptEncoder work as the references do, the slow way.
    """

    plain_text: bool = False

    def __init__(self, backbone: Backbone, model: nn.Module, tokenizer, device: str) -> None:
        from benchmark.clip import position_embedding

        self.backbone, self.device = backbone, device
        self.model = model.eval().float().requires_grad_(False).to(device)
        self.tokenizer = tokenizer
        self.visual = self.model.visual
        self.image_size = position_embedding.side(self.visual)
        settings = self.visual.preprocess_cfg
        self.mean = torch.tensor(settings["mean"], device=device).view(3, 1, 1)
        self.std = torch.tensor(settings["std"], device=device).view(3, 1, 1)
        self.logit_scale = float(self.model.logit_scale.exp())
        self.checksums: dict[str, int] = {}  # as it was loaded
        self.check_frozen()

    @property
    def chunk(self) -> int:
        """Pictures a pass where nothing is learned: on a CPU so few that its caches hold them."""
        return 32 if self.device == "cpu" else 128

    def check_frozen(self) -> None:
        """RuntimeError if something has changed the shared model: a value, or what is trained.

        All methods and units share it: what one changes would leak into the records of others, so
        this is called before anything that the model had a part in is recorded or kept.
        """
        for name, module in self.model.named_modules():
            if module.training:
                raise RuntimeError(f"the shared CLIP: {name or 'the model'} left eval mode; {_OWN}")
        for name, tensor in self.model.named_parameters():
            if tensor.requires_grad:
                raise RuntimeError(f"the shared CLIP: {name} is not frozen; {_OWN}")
            if tensor.dtype != torch.float32:
                raise RuntimeError(f"the shared CLIP: {name} is {tensor.dtype}; {_OWN}")
        for name, checksum in self._checksums():
            if checksum != self.checksums.setdefault(name, checksum):
                raise RuntimeError(f"the shared CLIP: values of {name} were changed; {_OWN}")

    def _checksums(self) -> Iterator[tuple[str, int]]:
        """Of each parameter's and buffer's bytes; `.data` escapes the versions that torch keeps."""
        for name, tensor in self.model.state_dict().items():
            yield name, zlib.crc32(tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy())

    def student(self) -> nn.Module:
        """A trainable copy of the image tower; the frozen one is not touched."""
        return copy.deepcopy(self.visual).requires_grad_(True)

    def trainable(self) -> nn.Module:
        """A trainable copy of the whole model, in eval mode: `visual` is its image tower,
        `prompts.tower_of` its text tower, `logit_scale` the logarithm of the scale."""
        return copy.deepcopy(self.model).requires_grad_(True)

    @torch.no_grad()
    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Text features (P, D) of whole prompts, not normalised."""
        tokens = self.tokenizer(list(prompts)).to(self.device)
        return self.model.encode_text(tokens)


def load(backbone: Backbone, device: str = "cpu", size: int | None = None) -> Clip:
    """The backbone's model on a device. Weights are read without unpickling code.

    size   image side in pixels, if not the model's own: its positions are interpolated.
    InputError for a weights file that is not the model's, or a size that it cannot take.
    """
    import open_clip  # seconds, which those that only name methods do not have to wait
    from open_clip.modified_resnet import ModifiedResNet
    from open_clip.transformer import VisionTransformer

    from benchmark.clip import position_embedding, weights

    model = weights.load(backbone)
    if size is not None:
        position_embedding.fit(model.visual, size)
    if isinstance(model.visual, VisionTransformer):
        model.visual.output_tokens = True
    if isinstance(model.visual, ModifiedResNet):
        model.visual.to(memory_format=torch.channels_last)  # convolutions are faster; same numbers
    return Clip(backbone, model, open_clip.get_tokenizer(backbone.model), device)
