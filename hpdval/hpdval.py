"""HP-DVAL as the paper's text has it: the plugin class `hpdval`."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import losses
from benchmark.clip import image_views
from benchmark.method import Method, Run
from benchmark.prompts import PromptEncoder, encode_template, initial_context
from benchmark.training import Recipe, train
from hpdval import equations

_BATCH = 128  # images per step where nothing is learned


class HPDVAL(Method):
    """Two stages: dual-view alignment of the image encoder, then hierarchical prompt tuning.

    Stage 1 trains a copy of CLIP's image tower under a fixed prompt: classification loss on the
    dual-view score plus L1 distillation towards frozen CLIP (eq. 2 to 5). Stage 2 freezes it and
    trains a global and a local context: classification loss plus L1 semantic consistency of one
    of the two (eq. 8 to 10). Few-shot: stage 1 on the base classes is the base stage; an episode
    starts from it and runs both stages on its support set.

    alpha, k          weight of the global view (eq. 5); k best of 196 patches, kept as a fraction
    scale             factor on the score before the loss; the text names none, so 1
    loss              "db*", "db", "asl" or "bce"; db_constants "coco" or "voc", as in DB's configs
    positive          DB*'s factor on positive logits: "frequency" (eq. 14, 15), or "5.0" and such
    focal_on          "element", or "batch" as in the released helper
    similarity        "cosine" (eq. 4) or "released": see equations.py
    tied              which context the consistency ties to the template: "global" or "local"
    distillation, consistency   weights of L_kd and L_sc; both 1 in the text
    novel_epochs      stage 1 epochs on an episode's support set
    augment           of stage 1's pictures; the text states none, stage 2 sees plain ones
    """

    name = "hpdval"
    scores = "logits"

    def __init__(
        self,
        alpha: float = 0.4,
        k: int = 32,
        scale: float = 1.0,
        local: str = "tokens",
        similarity: str = "cosine",
        loss: str = "db*",
        db_constants: str = "coco",
        positive: str = "frequency",
        focal_on: str = "element",
        distillation: float = 1.0,
        consistency: float = 1.0,
        tied: str = "global",
        context: int = 4,
        init: str = "",
        template: str = "a photo of a {}",
        stage1_epochs: int = 20,
        stage1_lr: float = 1e-5,
        novel_epochs: int = 20,
        stage2_epochs: int = 10,
        stage2_lr: float = 5e-6,
        batch_size: int = 32,
        weight_decay: float = 1e-4,
        schedule: str = "constant",
        ema: float = 0.0,
        augment: str = "none",
    ) -> None:
        self.alpha, self.k, self.scale, self.local = alpha, k, scale, local
        self.similarity, self.tied = similarity, tied
        self.loss, self.db_constants, self.positive = loss, db_constants, positive
        self.focal_on = focal_on
        self.distillation, self.consistency = distillation, consistency
        self.context, self.init, self.template = context, init, template
        self.stage1_epochs, self.stage1_lr, self.novel_epochs = (
            stage1_epochs,
            stage1_lr,
            novel_epochs,
        )
        self.stage2_epochs, self.stage2_lr = stage2_epochs, stage2_lr
        self.batch_size, self.weight_decay = batch_size, weight_decay
        self.schedule, self.ema, self.augment = schedule, ema, augment

    def fit_base(self, base, run) -> None:
        self.student = run.clip.student()
        self._align(base, run, self.stage1_epochs, "base")

    def state(self) -> dict[str, Tensor]:
        return self.student.state_dict()

    def load_state(self, state: dict[str, Tensor]) -> None:
        self._base = state

    def fit(self, train_set, run) -> None:
        self.student = run.clip.student()
        epochs = self.stage1_epochs
        if hasattr(self, "_base"):
            self.student.load_state_dict(self._base)
            epochs = self.novel_epochs
        self._align(train_set, run, epochs, "stage 1")
        self.student.requires_grad_(False)
        self._tune_prompts(train_set, run)

    @torch.no_grad()
    def predict(self, images, run):
        text = self._text(run.clip)
        parts = [self._score(*views, text) for views in self._views(images, run)]
        return run.clip.logit_scale * torch.cat(parts)

    def _align(self, train_set, run: Run, epochs: int, stage: str) -> None:
        """Stage 1: L = L_cls + L_kd over the image tower; the text features P_H are fixed."""
        clip, labels = run.clip, self._labels(train_set, run)
        self.prompt = self._template(clip, train_set.class_names)
        draw = run.training_pixels(train_set.images, self.augment)
        teacher = self._teacher(train_set.images, run) if self.distillation else None
        classify = self._criterion(labels)
        text = {"global": self.prompt, "local": self.prompt}

        def loss_of(indices):
            batch = run.normalise(draw(indices))
            whole, patches = image_views(self.student, batch, self.local)
            loss = classify(self.scale * self._score(whole, patches, text), labels[indices])
            if teacher is not None:
                target = teacher(indices, batch)
                loss = loss + self.distillation * equations.distillation(whole, target)
            return loss

        train(
            self.student.parameters(),
            loss_of,
            len(labels),
            self._recipe(epochs, self.stage1_lr),
            run,
            stage,
        )

    def _teacher(self, images, run: Run):
        """Frozen CLIP's global features: cached ones of plain pictures, else of what was drawn."""
        if self.augment == "none":
            plain = run.training_features(images)
            return lambda indices, batch: plain(indices)

        @torch.no_grad()
        def teacher(indices: Tensor, batch: Tensor) -> Tensor:
            return image_views(run.clip.visual, batch, None)[0]

        return teacher

    def _tune_prompts(self, train_set, run: Run) -> None:
        """Stage 2: L = L_cls + L_sc over the two contexts; the image tower is frozen."""
        if not self.stage2_epochs:
            self.learned = None
            return
        clip, labels = run.clip, self._labels(train_set, run)
        self.encoder = PromptEncoder(clip, train_set.class_names)
        generator = run.generator("context")
        self.learned = {
            view: nn.Parameter(initial_context(clip, self.context, generator, self.init))
            for view in ("global", "local")
        }
        views = list(self._views(train_set.images, run))
        whole, patches = (torch.cat(parts) for parts in zip(*views, strict=True))
        classify = self._criterion(labels)

        def loss_of(indices):
            text = {view: self.encoder(context) for view, context in self.learned.items()}
            score = self._score(whole[indices], patches[indices], text)
            loss = classify(self.scale * score, labels[indices])
            if self.consistency:
                tied = self._comparable(text[self.tied])
                loss = loss + self.consistency * equations.semantic_consistency(tied, self.prompt)
            return loss

        recipe = self._recipe(self.stage2_epochs, self.stage2_lr)
        train(self.learned.values(), loss_of, len(labels), recipe, run, "stage 2")

    def _template(self, clip, class_names) -> Tensor:
        """P_H (C, D), the features of the fixed prompt, in the form of `_comparable`."""
        return self._comparable(encode_template(clip, class_names, self.template))

    def _comparable(self, text: Tensor) -> Tensor:
        """Text features as the consistency compares them: unit length; in the code as they are."""
        return text if self.similarity == "released" else F.normalize(text, dim=-1)

    def _text(self, clip) -> dict[str, Tensor]:
        """P_G and P_L (C, D); the template's features for both where stage 2 was left out."""
        if self.learned is None:
            return {"global": self.prompt, "local": self.prompt}
        return {view: self.encoder(context) for view, context in self.learned.items()}

    def _score(self, whole: Tensor, patches: Tensor, text: dict[str, Tensor]) -> Tensor:
        score = equations.SCORES[self.similarity]
        return score(whole, patches, text["global"], text["local"], self.alpha, self.k)

    def _criterion(self, labels: Tensor):
        options = {}
        if self.loss.startswith("db"):
            options = {"focal_on": self.focal_on}
            if self.loss == "db*":
                scalar = self.positive != "frequency"
                options["positive"] = float(self.positive) if scalar else self.positive
        return losses.make(self.loss, labels, self.db_constants, **options)

    def _labels(self, train_set, run: Run) -> Tensor:
        return torch.from_numpy(train_set.labels).to(run.device)

    def _recipe(self, epochs: int, lr: float) -> Recipe:
        return Recipe(
            epochs,
            lr,
            self.batch_size,
            "adamw",
            self.weight_decay,
            self.schedule,
            ema=self.ema,
        )

    @torch.no_grad()
    def _views(self, images, run: Run):
        """The student's global and local features, batch by batch."""
        pixels = run.pixels(images)
        for start in range(0, len(images), _BATCH):
            batch = torch.from_numpy(np.array(pixels[start : start + _BATCH]))
            yield image_views(self.student, run.normalise(batch), self.local)
