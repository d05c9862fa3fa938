"""HP-DVAL as its released code has it: the plugin class `hpdval-released`."""

from __future__ import annotations

from hpdval.hpdval import HPDVAL


class HPDVALReleased(HPDVAL):
    """The released code's choices, after the logs behind the paper's headline numbers.

    First stage only, no teacher that differs from the student, dot products normalised over the
    classes, alpha on the local view, a full stop after the class name in the template too, a
    scalar on positive logits (5 for COCO, 10 for VOC), the focal factor on the batch mean, one
    cycle, EMA, cutout and RandAugment. The authors resize to a square and do not normalise, which
    is the suite's to say (`preprocess: square-raw`), and keep the best epoch on the test set,
    which fell at 20 to 23; here the last one counts.
    """

    name = "hpdval-released"

    def __init__(
        self,
        alpha: float = 0.5,
        k: int = 16,
        similarity: str = "released",
        positive: str = "5.0",
        focal_on: str = "batch",
        distillation: float = 0.0,
        tied: str = "local",
        init: str = "a photo of a",
        template: str = "a photo of a {}.",
        stage2_epochs: int = 0,
        stage2_lr: float = 1e-5,
        batch_size: int = 16,
        schedule: str = "onecycle",
        ema: float = 0.998,
        augment: str = "cutout+randaugment",
        **others,
    ) -> None:
        super().__init__(
            alpha=alpha,
            k=k,
            similarity=similarity,
            positive=positive,
            focal_on=focal_on,
            distillation=distillation,
            tied=tied,
            init=init,
            template=template,
            stage2_epochs=stage2_epochs,
            stage2_lr=stage2_lr,
            batch_size=batch_size,
            schedule=schedule,
            ema=ema,
            augment=augment,
            **others,
        )
