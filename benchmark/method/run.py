"""What one unit gets from the harness: CLIP, features, pictures, a device, seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from benchmark.common.identity import seed_of
from benchmark.method.precision import Precision

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from benchmark.clip.feature_cache import FeatureStore
    from benchmark.clip.model import Clip
    from benchmark.data.images import ImageList
    from benchmark.data.preprocessing import Preprocessing

    Tensors = Callable[[], dict[str, Tensor]]  # what computes a state


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
        from benchmark.method import batches

        return batches.FeatureBatches(self.store, images, kind, augment, views)

    def training_pixels(
        self, images: ImageList, augment: str = "none"
    ) -> Callable[[Tensor], Tensor]:
        """For trained encoders: a function from indices (B,) to pictures (B, 3, S, S) uint8.

        With an augmentation each draw of an image is a new random view, read while training.
        """
        from benchmark.method import batches

        drawn = batches.PixelBatches(self.store, images, augment, self.seed("augment"))
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
        from benchmark.common import seeding

        watcher, self.after_epoch = self.after_epoch, self.after_epoch if seen else None
        try:
            with seeding.aside(self.seed("shared"), self.device):
                return build()
        finally:
            self.after_epoch = watcher
