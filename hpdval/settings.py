"""HP-DVAL's hyperparameters: names, defaults, what each means, which values are worth trying.

Defaults are the paper's text's, and the released code's where the text is silent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from benchmark.common.errors import InputError, unknown
from benchmark.method import Method, losses
from benchmark.method.search_space import Choice, Range, SearchSpace
from hpdval import equations, students

LEARNED = {"both": ("global", "local"), "global": ("global",), "local": ("local",)}
# What stage 1 on a whole training set does not depend on. It depends on every other one.
NOT_STAGE_1 = (
    "consistency", "tied", "context", "init", "joint", "learned", "stage2_epochs", "stage2_lr",
    "few_shot_loss", "novel_epochs", "novel_lr", "novel_batch", "novel_augment", "novel_cycle",
    "novel_beta2", "novel_ema",
)  # fmt: skip
OFFSETS = ("none", "fixed", "learned")


@dataclass(kw_only=True, eq=False)
class Settings(Method):
    """Holds the hyperparameters; the stages are in `hpdval.HPDVAL`.

    Scores
    student           "clip", "imagenet" or "imagenet-random": see students.py
    alpha, k          weight of the global view (eq. 5); k best of 196 patches, kept as a fraction
    scale             factor on the score before the loss; the text names none, so 1
    offset            constant a class, added to the score before the loss: the level of a cosine
                      says nothing, and DB*, ASL and BCE read it. "none", as in the text; "fixed":
                      the one with the least loss on the scores that a stage starts from;
                      "learned": trained from there on. No score of `predict` has it: average
                      precision does not depend on it, the softmax over classes would
    local             kind of local features: "tokens" or "value"; see `Run.features`
    similarity        "cosine" (eq. 4) or "released": see equations.py
    Losses
    loss              a name of `losses.make`; db_constants "coco" or "voc", as in DB's configs
    positive          DB*'s factor on positive logits: "frequency" (eq. 14, 15), or "5.0" and such
    focal_on          of the DB losses: "element", or "batch" as in the released helper
    distillation, consistency   weights of L_kd (eq. 2) and L_sc (eq. 10); both 1 in the text
    tied              which context the consistency ties to the template: "global" or "local"
    Prompts
    template          of the fixed prompt P_H; a full stop at the end is the released code's
    context, init     M, the tokens of a context; the words that it starts from, "" for Gaussian
    learned           which contexts stage 2 learns: "both", "global" or "local" (Table VI); the
                      other view keeps the template
    Training
    stage1_epochs, stage1_lr, stage2_epochs, stage2_lr   0 epochs leave a stage out
    joint             one stage of stage1_epochs at stage1_lr for image tower and contexts (Table V)
    batch_size, weight_decay   see `training.Recipe`
    schedule, ema     see `training.Recipe`; the text states none, these are the code's
    cycle             epochs that a onecycle schedule is planned for, if it is to stop earlier
    augment           of stage 1's pictures, the code's, as the text states none; stage 2 sees plain
                      ones
    Few-shot, where an episode differs from the base stage; 0 and "" for as above
    novel_epochs      of stage 1 on the episode's support set
    novel_lr, novel_batch, novel_augment, novel_cycle   of that stage, too
    novel_beta2       AdamW's second decay there; the code's, as is the augmentation
    novel_ema         of all stages of an episode; 0 for none, as in the code
    few_shot_loss     of the base stage and of the episodes
    """

    # The loss is what the method is; epochs and augmentation are a budget, which a suite sets.
    search_space: ClassVar[SearchSpace] = {
        "stage1_lr": Range(1e-5, 3e-3, log=True),
        "stage2_lr": Range(5e-6, 5e-3, log=True),
        "scale": Range(5.0, 50.0, log=True),
        "offset": Choice(OFFSETS),
        "distillation": Range(0.01, 3.0, log=True),
        "ema": Choice((0.0, 0.9, 0.99, 0.998)),
        "local": Choice(("tokens", "value")),
        "novel_lr": Range(1e-5, 3e-3, log=True, setting="few-shot"),
        "novel_epochs": Choice((5, 10, 20), setting="few-shot"),
    }

    student: str = "clip"
    alpha: float = 0.4
    k: int = 32
    scale: float = 1.0
    offset: str = "none"
    local: str = "tokens"
    similarity: str = "cosine"
    loss: str = "db*"
    db_constants: str = "coco"
    positive: str = "frequency"
    focal_on: str = "element"
    distillation: float = 1.0
    consistency: float = 1.0
    tied: str = "global"
    context: int = 4
    init: str = ""
    template: str = "a photo of a {}"
    learned: str = "both"
    stage1_epochs: int = 20
    stage1_lr: float = 1e-5
    stage2_epochs: int = 10
    stage2_lr: float = 5e-6
    joint: bool = False
    batch_size: int = 32
    weight_decay: float = 1e-4
    schedule: str = "onecycle"
    cycle: int = 0
    ema: float = 0.998
    augment: str = "cutout+randaugment"
    novel_epochs: int = 20
    novel_lr: float = 0.0
    novel_batch: int = 0
    novel_augment: str = "randaugment"
    novel_cycle: int = 0
    novel_beta2: float = 0.9
    novel_ema: float = 0.0
    few_shot_loss: str = ""

    def check(self) -> None:
        """InputError for a setting that has no such value."""
        known = {
            "student": students.NAMES,
            "similarity": equations.SCORES,
            "tied": equations.VIEWS,
            "learned": LEARNED,
            "offset": OFFSETS,
            "loss": losses.NAMES,
            "few_shot_loss": (*losses.NAMES, ""),
        }
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise unknown(f"value of {name}", getattr(self, name), filter(None, values))
        if self.positive != "frequency" and not _is_number(self.positive):
            raise InputError(
                f"hyperparameter positive: '{self.positive}' is neither \"frequency\" nor a "
                'number as text; write "5.0"'
            )

    def check_files(self) -> None:
        students.weights(self.student)

    def of_stage_1(self, names) -> dict:
        """The hyperparameters among `names` that stage 1 depends on, and its other weights."""
        own = {name: getattr(self, name) for name in names if name not in NOT_STAGE_1}
        return {"stage": 1, **own, "student_sha256": students.digest(self.student)}


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
