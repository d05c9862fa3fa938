"""Run, what a method's functions are given: CLIP, features, pictures, a device, seeds."""

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

    For methods
        clip        the frozen `Clip`: logit_scale, encode_text(texts); student(), a trainable copy
                    of its image tower, trainable() one of all of it; a unit that unfreezes the
                    shared one fails
        device      "cpu" or "cuda:0": where the unit computes
        preprocess  how pictures are resized and normalised: the unit's choice, not the method's
        precision   the unit's: `training.train` follows it, cached features come as float32
        curve       {"stage", "epoch", "loss"} of each epoch for the record; `training.train`
                    appends them

    For the harness
        identity    what seeds derive from: of the unit, not of its method
        after_epoch called by `training.train` with stage and epoch; --oracle listens there
        keep        where stages that units share are kept, see `shared`; None without one
    """

    def __init__(self, *, clip: Clip, store: FeatureStore, device: str, identity: str) -> None:
        self.clip, self.store, self.device, self.identity = clip, store, device, identity
        self.curve: list[dict[str, Any]] = []
        self.precision = Precision()
        self.draws: list[Any] = []  # told by the training loop what will be drawn next
        self.after_epoch: Callable[[str, int], None] | None = None
        self.keep: Callable[[Mapping[str, Any], Tensors], dict[str, Tensor]] | None = None

    def seed(self, purpose: str) -> int:
        """A seed in [0, 2**32) that depends on the unit (not on its method) and the purpose."""
        return seed_of(self.identity, purpose)

    def generator(self, purpose: str) -> Any:
        """A torch.Generator on the CPU, seeded for the purpose."""
        import torch

        return torch.Generator().manual_seed(self.seed(purpose))

    def features(self, images: ImageList, kind: str = "global") -> np.ndarray:
        """Frozen CLIP features, float32 and not normalised, memory-mapped and computed once.

        kind   "global" (N, D); local ones (N, L, D): "tokens", a ViT's patch tokens, and "value",
               the last attention's value path at each place; "regions" (N, 1 + L, D), the same
               of the pooled token first. See clip/image_features.py
        The map is the caller's own: what is written into it reaches neither file nor other units.
        InputError for local features of a tower that has none.
        """
        return self.store.features(images, kind)

    def pixels(self, images: ImageList) -> np.ndarray:
        """Plain pictures of the model's size, (N, 3, S, S) uint8, for `normalise`."""
        return self.store.pixels(images)

    @property
    def preprocess(self) -> Preprocessing:
        """The unit's resizing and normalising of pictures."""
        return self.store.preprocess

    def normalise(self, pixels: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) uint8 to the image tower's input, float32 on the device."""
        return self.store.normalise(pixels)

    def training_features(
        self, images: ImageList, kind: str = "global", augment: str = "none", views: int = 1
    ) -> Callable[[Tensor], Tensor]:
        """For frozen encoders: from the training loop's indices (B,) to features on the device.

        kind      as in `features`; the draw is float32 (B, D) or (B, L, D)
        augment   "none", or crop, flip, cutout, randaugment joined by "+": data/augmentation.py
        views     random views of each image, computed once and cached for all units; the n-th draw
                  of an image takes view n mod `views`
        Two that differ in `kind` alone show the same views in step; ask for the local kind first,
        it brings the global features along. InputError for an unknown augmentation or no view.
        """
        from benchmark.method import batches

        return batches.FeatureBatches(self.store, images, kind, augment, views)

    def training_pixels(
        self, images: ImageList, augment: str = "none"
    ) -> Callable[[Tensor], Tensor]:
        """For trained encoders: from the training loop's indices (B,) to pictures for `normalise`.

        (B, 3, S, S) uint8 on the CPU. With an augmentation each draw of an image is a new random
        view of the unit's seed, read from its file by threads.
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
        """The tensors by name that `build()` returns, of a stage that units have in common.

        The first unit that asks builds it, the others read it from the cache, bit for bit.

        what    plain values: every setting that the stage depends on. The harness adds the method
                and its version, the training images and labels, seeds, CLIP, preprocessing, scale
        last    nothing is trained after it: with --oracle each unit builds it itself, watched
        Let `fit` call it before other work: while another process is building, checkpoints.Busy
        ends `fit`, which must let it pass, and the unit comes again later. Global generators start
        the stage from a seed of their own and go on afterwards as if it had not been.
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
