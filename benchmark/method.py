"""Method, the plugin base class, and Run, what the harness hands to it."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from benchmark.precision import Precision
from benchmark.units import seed_of

if TYPE_CHECKING:  # --help, --list and --status come this way: no torch
    import numpy as np
    from torch import Tensor

    from benchmark.clip import Clip
    from benchmark.features import FeatureStore
    from benchmark.preprocessing import Preprocessing
    from benchmark.tasks import ImageList, LabelledImages, Task

    Tensors = Callable[[], dict[str, Tensor]]  # what computes a state


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


class Run:
    """What one unit gets from the harness: CLIP, cached features, a device, seeds by purpose.

    `curve` collects {"stage", "epoch", "loss"} of the training loop for the record. With --oracle
    the harness listens in `after_epoch`, which the training loop calls with stage and epoch.
    `keep` is where the harness keeps stages that units share, see `shared`; None without one.
    `precision` is the unit's: the training loop follows it, cached features come as float32.
    """

    def __init__(self, *, clip: Clip, store: FeatureStore, device: str, identity: str) -> None:
        self.clip, self.store, self.device, self.identity = clip, store, device, identity
        self.curve: list[dict[str, Any]] = []
        self.precision = Precision()
        self.draws: list[Any] = []  # told by the training loop what will be drawn next
        self.after_epoch: Callable[[str, int], None] | None = None
        self.keep: Callable[[Mapping[str, Any], Tensors], dict[str, Tensor]] | None = None

    def seed(self, purpose: str) -> int:
        """A seed that depends on the unit (not on its method) and the purpose alone."""
        return seed_of(self.identity, purpose)

    def generator(self, purpose: str) -> Any:
        """A torch.Generator on the CPU, seeded for the purpose."""
        import torch

        return torch.Generator().manual_seed(self.seed(purpose))

    def features(self, images: ImageList, kind: str = "global") -> np.ndarray:
        """Frozen CLIP features, not normalised: (N, D), or (N, L, D) for the kinds of local ones.

        Those are "tokens", "value" and "regions": see `clip.image_views`.
        """
        return self.store.features(images, kind)

    def pixels(self, images: ImageList) -> np.ndarray:
        """Pictures of the model's size, (N, 3, S, S) uint8; `normalise` makes them its input."""
        return self.store.pixels(images)

    @property
    def preprocess(self) -> Preprocessing:
        """How pictures are resized and normalised: the unit's choice, not the method's."""
        return self.store.preprocess

    def normalise(self, pixels: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) uint8 to the image tower's input, float32 on the device."""
        return self.store.normalise(pixels)

    def training_features(
        self, images: ImageList, kind: str = "global", augment: str = "none", views: int = 1
    ) -> Callable[[Tensor], Tensor]:
        """For frozen encoders: a function from indices (B,) to float32 features on the device.

        `augment` is a name of `augmentation.parse`; the features of that many random views of each
        image are computed once, and its n-th draw takes view n mod `views`.
        """
        from benchmark import draws

        return draws.Features(self.store, images, kind, augment, views)

    def training_pixels(
        self, images: ImageList, augment: str = "none"
    ) -> Callable[[Tensor], Tensor]:
        """For trained encoders: a function from indices (B,) to pictures (B, 3, S, S) uint8.

        With an augmentation each draw of an image is a new random view, read while training.
        """
        from benchmark import draws

        drawn = draws.Pixels(self.store, images, augment, self.seed("augment"))
        self.draws.append(drawn)
        return drawn

    def announce(self, indices: Tensor) -> None:
        """Say which images (B,) come after the next batch, so that threads may read them."""
        for drawn in self.draws:
            drawn.announce(indices)

    def shared(
        self, what: Mapping[str, Any], build: Tensors, last: bool = False
    ) -> dict[str, Tensor]:
        """The tensors that `build()` returns, for `load_state_dict`: a stage that units share.

        Units that differ only in what comes after the stage ask for the same: the first one
        builds it, the others read it from the cache, bit for bit. `what` holds, as plain values,
        all settings that the stage depends on; the harness adds the method and its version, the
        training images and labels, seeds, CLIP, preprocessing and scale. Let `fit` call it before
        other work: while another process is building, states.Busy ends `fit`, which must let it
        pass, and the unit comes again later. Global generators start the stage from a seed of
        their own and go on afterwards as if it had not been; `after_epoch` does not see it, unless
        it is the `last` stage of the unit: with --oracle that one is built by each unit itself.
        """
        seen = last and self.after_epoch is not None
        if self.keep is None or seen:
            return self._apart(build, seen)
        return self.keep(what, lambda: self._apart(build))

    def _apart(self, build: Tensors, seen: bool = False) -> dict[str, Tensor]:
        from benchmark import generators

        watcher, self.after_epoch = self.after_epoch, self.after_epoch if seen else None
        try:
            with generators.aside(self.seed("shared"), self.device):
                return build()
        finally:
            self.after_epoch = watcher
