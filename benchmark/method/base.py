"""Method, the plugin base class: what a method declares, learns and returns."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, ClassVar

from benchmark.method.run import Run

if TYPE_CHECKING:  # --help, --list and --status come this way: no torch
    from torch import Tensor

    from benchmark.data.images import ImageList, LabelledImages
    from benchmark.data.tasks import Task


class Method(abc.ABC):
    """One method, one class, one file. `__init__` takes keyword hyperparameters and stores them.

    name           how suites, tables and records call it
    version        raise it when results change: part of a unit's identity
    scores         what `predict` returns: "logits" (CLIP-type; `map_softmax` is recorded too),
                   "probabilities" (CF1 and OF1 at 0.5 are recorded too) or "raw"
    deterministic  nothing is random, nothing is learned from an episode: one unit stands for all
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    scores: ClassVar[str] = "raw"
    deterministic: ClassVar[bool] = False

    def skip(self, task: Task) -> str | None:
        """A reason to refuse a task, shown in the table; None to take it."""
        return None

    def fit_base(self, base: LabelledImages, run: Run) -> None:  # noqa: B027, optional
        """Few-shot only: learn from the base classes what every episode starts from.

        Override `state` and `load_state` with it. Its classes are not those of `fit`.
        """

    def state(self) -> dict[str, Tensor]:
        """What `fit_base` learned, as tensors by name."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:  # noqa: B027, optional
        """Start from what `state` returned."""

    @abc.abstractmethod
    def fit(self, train: LabelledImages, run: Run) -> None:
        """Learn from N training images and their labels (N, C). Sees no test data."""

    @abc.abstractmethod
    def predict(self, images: ImageList, run: Run) -> Tensor:
        """Scores (N, C), floating point, higher meaning more likely."""

    def local_scores(self, images: ImageList, run: Run) -> Tensor | None:
        """Optional, for pictures alone: (K, L, C), how much each of L places, row by row, looks
        like each class, for K images. Called after `predict`; no result depends on it."""
        return None


def has_base(method: Method) -> bool:
    """Whether it learns on base classes; a hyperparameter `base` that is false leaves that out."""
    return type(method).fit_base is not Method.fit_base and getattr(method, "base", True)


def refuse_base(method: Method, task: Task) -> str | None:
    """Why class-specific prompts cannot learn on a task's base classes first; None if they can.

    `method` has the hyperparameters base and class_specific.
    """
    if method.base and method.class_specific and task.setting == "few-shot":
        return "contexts of base classes do not fit novel ones: base or class_specific, not both"
    return None
