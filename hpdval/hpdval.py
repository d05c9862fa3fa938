"""HP-DVAL as the paper's text has it: the plugin class `hpdval`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.clip.prompts import PromptEncoder, initial_context
from benchmark.common.device import take_rows
from benchmark.method import Run, losses
from benchmark.method.discovery import hyperparameters
from benchmark.method.inputs import label_matrix, picture_parts
from benchmark.method.training import Recipe, train
from hpdval import equations, students
from hpdval.settings import LEARNED, Settings

Features = tuple[Tensor, Tensor]  # f_cls (B, D) and f_j (B, L, D)
_PART = 256  # images whose kept features are scored at a time


class HPDVAL(Settings):
    """Two stages: dual-view alignment of the image encoder, then hierarchical prompt tuning.

    Stage 1 trains a copy of CLIP's image tower under a fixed prompt: classification loss on the
    dual-view score plus L1 distillation towards frozen CLIP (eq. 2 to 5). Stage 2 freezes it and
    trains a global and a local context: classification loss plus L1 semantic consistency of one
    of the two (eq. 8 to 10). Few-shot: stage 1 on the base classes is the base stage; each episode
    starts from it anew and runs both stages on its support set. Units that differ only in stage 2
    share stage 1. The hyperparameters are explained in settings.py, and set beside the paper's
    text and the released code in README.md.
    """

    name = "hpdval"
    title = "HP-DVAL"
    version = 2
    scores = "logits"

    def fit_base(self, base, run) -> None:
        self._start(base, run)
        self._align(base, run, "base")

    def state(self) -> dict[str, Tensor]:
        return self.image_tower.state_dict()

    def load_state(self, state: dict[str, Tensor]) -> None:
        self._base = state

    def fit(self, train_set, run) -> None:
        self._start(train_set, run)
        if self.joint:
            self._train_jointly(train_set, run)
        elif self._episode or not self.stage1_epochs:  # too short to be kept for other units
            self._align(train_set, run, "stage 1")
        else:
            what, last = self.of_stage_1(hyperparameters(type(self))), not self.stage2_epochs
            state = run.shared(what, lambda: self._align(train_set, run, "stage 1"), last)
            self.image_tower.load_state_dict(state)
        self.image_tower.requires_grad_(False)
        if self.stage2_epochs and not self.joint:
            self._tune_prompts(train_set, run)

    @torch.no_grad()
    def predict(self, images, run):
        return run.clip.logit_scale * self._scores(self._features(images, run))

    @torch.no_grad()
    def local_scores(self, images, run):
        """s_L,j of eq. 8, whichever similarity the scores have: (K, L, C)."""
        text, parts = self._text()["local"], self._features(images, run)
        return torch.cat([equations.local_scores(patches, text) for _, patches in parts])

    @property
    def _episode(self) -> bool:
        """Whether this fit starts from a base state."""
        return hasattr(self, "_base")

    def _start(self, train_set, run: Run) -> None:
        """The student as CLIP or the base stage left it, and prompts as the template has them."""
        self.check()
        clip, names = run.clip, train_set.class_names
        self.image_tower = students.make(self.student, run, self.local)
        if self._episode:
            self.image_tower.load_state_dict(self._base)
        self.prompt = self._comparable(equations.template_prompt(clip, names, self.template))
        self.encoder, self.contexts = None, {}

    def _align(self, train_set, run: Run, stage: str) -> dict[str, Tensor]:
        """Stage 1: L1 = L_cls + L_kd over the image tower; the text features P_H are fixed.

        Returns the student's weights, which are what units share.
        """
        recipe, augment = self._first_recipe()
        look = self._student_features(train_set.images, run, augment)
        self._train(self.image_tower.parameters(), look, train_set, recipe, run, stage)
        return self.image_tower.state_dict()

    def _tune_prompts(self, train_set, run: Run) -> None:
        """Stage 2: L2 = L_cls + L_sc over the learned contexts; the image tower is frozen."""
        self._draw_contexts(train_set, run)
        drawn = self.frozen_features(train_set.images, run)
        recipe = self._recipe(epochs=self.stage2_epochs, lr=self.stage2_lr, cycle=0)
        plain = map(drawn, torch.arange(len(train_set.images)).split(_PART))
        stage = train_set, recipe, run, "stage 2", plain
        self._train(self.contexts.values(), lambda at: (drawn(at), None), *stage)

    def frozen_features(self, images, run: Run) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """From indices to stage 2's f_cls and f_j, computed once: the student is frozen by then."""
        parts = zip(*self._features(images, run), strict=True)
        whole, patches = (torch.cat(part) for part in parts)
        return lambda indices: (take_rows(whole, indices), take_rows(patches, indices))

    def _train_jointly(self, train_set, run: Run) -> None:
        """Table V's one stage: L_cls + (L_kd + L_sc) / 2 over image tower and contexts."""
        recipe, augment = self._first_recipe()
        self._draw_contexts(train_set, run)
        look = self._student_features(train_set.images, run, augment)
        parameters = [*self.image_tower.parameters(), *self.contexts.values()]
        self._train(parameters, look, train_set, recipe, run, "joint")

    def _train(
        self,
        parameters: Iterable[nn.Parameter],
        look: Callable,
        train_set,
        recipe: Recipe,
        run: Run,
        stage: str,
        plain: Iterable[Features] | None = None,
    ) -> None:
        """One stage: L_cls, plus L_kd where `look` gives a target and L_sc of a learned context.

        look    from indices to the features (f_cls, f_j) and what f_cls is drawn to, or None
        plain   features of all training pictures as the stage starts, if they are there already
        """
        plain = self._features(train_set.images, run) if plain is None else plain
        few_shot = stage == "base" or self._episode
        classify, offset = self._classification(train_set, run, few_shot, plain)
        if isinstance(offset, nn.Parameter):
            parameters = [*parameters, offset]

        def loss_of(indices):
            features, target = look(indices)
            text = self._text()
            loss, consistent = classify(features, text, indices), self._consistent(text)
            distilled = None if target is None else equations.distillation(features[0], target)
            if stage == "joint":
                terms = ((self.distillation, distilled), (self.consistency, consistent))
                weighted = (0 if term is None else weight * term for weight, term in terms)
                return equations.joint_objective(loss, *weighted)
            if distilled is not None:
                return equations.first_objective(loss, distilled, self.distillation)
            if consistent is not None:
                return equations.second_objective(loss, consistent, self.consistency)
            return loss

        train(parameters, loss_of, len(train_set.images), recipe, run, stage)

    def _student_features(self, images, run: Run, augment: str) -> Callable:
        """From indices to the student's (f_cls, f_j), and the teacher's f_CLIP, None if unused.

        The teacher is frozen CLIP: its features of plain pictures are cached, those of augmented
        ones computed of what was drawn.
        """
        draw, plain = run.training_pixels(images, augment), augment == "none"
        cached = run.training_features(images) if self.distillation and plain else None

        def look(indices: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor | None]:
            batch = run.normalise(draw(indices))
            features = students.image_features(self.image_tower, batch, self.local)
            if plain or not self.distillation:
                return features, cached(indices) if cached else None
            with torch.no_grad():
                return features, students.image_features(run.clip.visual, batch, None)[0]

        return look

    def _draw_contexts(self, train_set, run: Run) -> None:
        """Both are drawn, so that each starts alike whether the other one is learned or not."""
        settings = self.context, run.generator("context"), self.init
        drawn = {view: initial_context(run.clip, *settings) for view in equations.VIEWS}
        self.contexts = {view: nn.Parameter(drawn[view]) for view in LEARNED[self.learned]}
        self.encoder = PromptEncoder(run.clip, train_set.class_names)

    def _text(self) -> dict[str, Tensor]:
        """P_G and P_L (C, D); the template's features for views whose context is not learned."""
        return equations.hierarchical_prompts(self.encoder, self.contexts, self.prompt)

    def _consistent(self, text: dict[str, Tensor]) -> Tensor | None:
        """L_sc of the tied context; None if it is not wanted, or that context not learned."""
        if not self.consistency or self.tied not in self.contexts:
            return None
        return equations.semantic_consistency(self._comparable(text[self.tied]), self.prompt)

    def _comparable(self, text: Tensor) -> Tensor:
        """Text features as the consistency compares them: unit length; in the code as they are."""
        return text if self.similarity == "released" else F.normalize(text, dim=-1)

    def _score(self, whole: Tensor, patches: Tensor, text: dict[str, Tensor]) -> Tensor:
        score = equations.SCORES[self.similarity]
        return score(whole, patches, text["global"], text["local"], self.alpha, self.k)

    def _scores(self, parts: Iterable[Features]) -> Tensor:
        """The scores (N, C) of features that come in parts, under the prompts as they are."""
        text = self._text()
        return torch.cat([self._score(*features, text) for features in parts])

    def _classification(
        self, train_set, run: Run, few_shot: bool, plain: Iterable[Features]
    ) -> tuple[Callable, Tensor | float]:
        """L_cls of a batch, from its features, the prompts' text and its indices; its offset."""
        labels = label_matrix(run, train_set)
        loss = self._criterion(labels, few_shot)
        offset = self._class_offset(plain, labels, loss)

        def classify(features, text, indices):
            scores = self._score(*features, text) + offset
            return loss(self.scale * scores, take_rows(labels, indices))

        return classify, offset

    def _class_offset(
        self, plain: Iterable[Features], labels: Tensor, loss: losses.Loss
    ) -> Tensor | float:
        """The offset (C,) that a stage starts with, a parameter if it is learned; 0 for none.

        It is one of scores, not of scaled ones, so that one learning rate suits it and the rest.
        """
        if self.offset == "none":
            return 0.0
        with torch.no_grad():
            start = self.scale * self._scores(plain)
        best = losses.best_offset(start, labels, loss) / self.scale
        return nn.Parameter(best) if self.offset == "learned" else best

    def _criterion(self, labels: Tensor, few_shot: bool) -> losses.Loss:
        name = (few_shot and self.few_shot_loss) or self.loss
        options = {"focal_on": self.focal_on} if name in ("db", "db*") else {}
        if name == "db*":
            scalar = self.positive != "frequency"
            options["positive"] = float(self.positive) if scalar else self.positive
        return losses.make(name, labels, self.db_constants, **options)

    def _first_recipe(self) -> tuple[Recipe, str]:
        """How stage 1, or the joint stage, trains, and its augmentation."""
        if not self._episode:
            return self._recipe(epochs=self.stage1_epochs, lr=self.stage1_lr), self.augment
        recipe = self._recipe(
            epochs=self.novel_epochs,
            lr=self.novel_lr or self.stage1_lr,
            batch_size=self.novel_batch or self.batch_size,
            cycle=self.novel_cycle or self.cycle,
            beta2=self.novel_beta2,
        )
        return recipe, self.novel_augment or self.augment

    def _recipe(self, **others) -> Recipe:
        """A stage's recipe; an episode's few steps have a moving average of their own, or none."""
        return Recipe.of(self, ema=self.novel_ema if self._episode else self.ema, **others)

    @torch.no_grad()
    def _features(self, images, run: Run) -> Iterator[Features]:
        """The student's f_cls (B, D) and f_j (B, L, D), batch by batch."""
        for part in picture_parts(run, images):
            yield students.image_features(self.image_tower, part, self.local)
