"""ImageNet networks beside CLIP: their weights in the hub cache, CLIP's pictures as they take them.

Their files are safetensors, so nothing is unpickled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmark.clip import pretrained
from benchmark.clip.model import Clip
from benchmark.common.errors import InputError
from benchmark.data.preprocessing import RAW, Preprocessing


@dataclass(frozen=True)
class Source:
    """A file of weights on huggingface.co."""

    repository: str
    file: str = "model.safetensors"

    def path(self, needed: str) -> Path:
        """The file in this machine's hub cache; InputError, which begins with `needed`, if not."""
        if found := pretrained.cached({"hf_hub": f"{self.repository}/{self.file}"}):
            return found
        raise InputError(
            f"{needed} needs {self.file} of huggingface.co/{self.repository} in the hub cache "
            f"(HF_HOME, by default ~/.cache/huggingface): hf download {self.repository} {self.file}"
        )

    def fill(self, network: nn.Module, path: Path, architecture: str, classifier: str) -> None:
        """Put a file's tensors in their places, its classifier left out; InputError if they differ.

        classifier   what the names of its tensors begin with
        """
        from safetensors.torch import load_file

        try:
            state = {k: v for k, v in load_file(path).items() if not k.startswith(classifier)}
            network.load_state_dict(state)
        except Exception as error:  # of a damaged file, the reader raises anything
            reason = " ".join(str(error).split())[:150]
            raise InputError(
                f"weights file {path}: not those of {architecture} ({reason}); delete it and get "
                f"{self.file} of {self.repository} again"
            ) from error


class AsTrained(nn.Module):
    """From the unit's pictures to those of a network with another mean and deviation.

    Pictures that are not normalised, in [0, 1], stay as they are: the unit wants them so.
    """

    def __init__(
        self, clip: Clip, preprocess: Preprocessing, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        seen_mean, seen_std = preprocess.statistics(clip.mean.cpu(), clip.std.cpu())
        own_mean, own_std = (torch.tensor(each).view(3, 1, 1) for each in (mean, std))
        if preprocess.colours == RAW:
            own_mean, own_std = seen_mean, seen_std
        self.register_buffer("factor", seen_std / own_std, persistent=False)
        self.register_buffer("shift", (seen_mean - own_mean) / own_std, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return images * self.factor + self.shift
