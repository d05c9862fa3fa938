"""CPRFL: class prompts refined by what an image shows at its places (Yan et al., ACM MM 2024)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from baselines import cprfl_trunks as trunks
from baselines.cprfl_head import DROPPED, Head, Shape
from benchmark.clip.model import Clip
from benchmark.clip.packing import text_features
from benchmark.clip.prompts import encode_template, template_prompts, tower_of
from benchmark.common import seeding
from benchmark.common.device import take_rows
from benchmark.common.errors import InputError, unknown
from benchmark.method import Method, losses
from benchmark.method.inputs import label_matrix, picture_parts
from benchmark.method.search_space import Choice, Range, SearchSpace
from benchmark.method.training import Recipe, train

Text = tuple[Callable[[], Tensor], list[nn.Parameter]]  # features (C, E), and what they train


def frozen_text(clip: Clip, class_names: Sequence[str], template: str) -> Text:
    """CLIP's text features as they are, not normalised."""
    found = encode_template(clip, class_names, template)
    return (lambda: found), []


def trained_text(clip: Clip, class_names: Sequence[str], template: str) -> Text:
    """Those of a copy of the text tower, which is trained, not normalised."""
    model, tokens = clip.trainable(), clip.tokenizer(template_prompts(class_names, template))
    del model.visual
    if clip.plain_text:
        return (lambda: model.encode_text(tokens.to(clip.device))), list(model.parameters())
    return (lambda: text_features(tower_of(model), tokens)), list(model.parameters())


TEXT: dict[str, Callable[[Clip, Sequence[str], str], Text]] = {
    "frozen": frozen_text,
    "trained": trained_text,
}


@dataclass(kw_only=True, eq=False)
class CPRFL(Method):
    """Prompts made of the class names' text features attend to an image's places in one block.

    Prompts P = Linear, GELU, Linear of the text features (not normalised). The sequence of the
    places, projected and without positions, and of P as class tokens, goes through attention and
    MLP, each after a norm and without a skip connection. A class's score is the inner product of
    its token and its prompt. Trunk, head and all are trained with the asymmetric loss (4, 0, 0.05;
    mean), and end as their moving average, the statistics of batch norms too.

    Defaults are the released code's (jiexuanyan/CPRFL), but for the trunk; the paper's tables were
    not to be had, and the code's README has no numbers to compare with.

    trunk         "clip": a copy of the run's own image tower, so that CPRFL starts where all
                  methods here start and takes any backbone. "resnet101" is the authors': an
                  ImageNet ResNet-101, in whose place they see 448 pixels that are not normalised
                  (`preprocess: square-raw-448`), beside the text tower of CLIP's RN50
    text          "trained": the text tower too, at the rate of the head, as the code does;
                  "frozen" as the paper's figure has it
    local         CLIP's places: "tokens" or "value", see `Run.features`; no part of a ResNet-101
    trunk_rate    factor on the trunk's learning rate. 1: the code means 0.1, and by a slip in the
                  names of parameters gives the trunk the rate of all others
    loss          a name of `losses.make`; the paper's figure says re-weighting, its abstract and
                  the code's default asl. db_constants "coco" or "voc", for its other option
    width         of the tokens; 0: of the places as they come, D of CLIP's space or a ResNet-101's
                  2048, which is the code's
    expand        width of the MLP that makes prompts, as a share of `width`
    heads, head_width, mlp_width, depth   of the block; the widths 0 for the code's proportions, a
                  head a quarter of `width` (so that the inner width is twice `width`), the MLP
                  `width`
    dropout       in training, at "all" that the code drops: the attention's output and each layer
                  of the MLP; or `dropout_at` "attention" or "mlp" alone
    epochs, cycle the code plans a cycle for 80, stops after 79, and keeps the best on test images,
                  which --oracle records; a line that is switched off would stop VOC after 30
    lr            the code's default; a model's name in its configuration says 5e-5
    batch_size, weight_decay, schedule, ema, augment   of the training, the code's

    Few-shot: fitted to the support set alone, with no base stage, as `finetune` is: its head
    starts from nothing. The authors have no few-shot setting.
    """

    name = "cprfl"
    title = "CPRFL"

    # Widths, epochs and augmentation are a budget, which a suite sets.
    search_space: ClassVar[SearchSpace] = {
        "lr": Range(1e-5, 3e-3, log=True),
        "trunk_rate": Range(0.01, 1.0, log=True),
        "weight_decay": Range(1e-5, 0.1, log=True),
        "dropout": Range(0.0, 0.5),
        "schedule": Choice(("onecycle", "constant")),
        "ema": Choice((0.0, 0.9, 0.99, 0.998)),
        "local": Choice(("tokens", "value")),
    }

    trunk: str = "clip"
    text: str = "trained"
    template: str = "a photo of a {}."
    local: str = "tokens"
    loss: str = "asl"
    db_constants: str = "coco"
    width: int = 0
    expand: float = 0.5
    heads: int = 8
    head_width: int = 0
    mlp_width: int = 0
    depth: int = 1
    dropout: float = 0.1
    dropout_at: str = "all"
    epochs: int = 79
    cycle: int = 80
    lr: float = 1e-5
    trunk_rate: float = 1.0
    batch_size: int = 16
    weight_decay: float = 1e-4
    schedule: str = "onecycle"
    ema: float = 0.998
    augment: str = "cutout+randaugment"

    def check_files(self) -> None:
        trunks.weights(self.trunk)

    def fit(self, train_set, run) -> None:
        self._check()
        labels = label_matrix(run, train_set)
        loss = losses.make_mean(self.loss, labels, self.db_constants)
        self.names, trained = TEXT[self.text](run.clip, train_set.class_names, self.template)
        self._build(run)
        draw = run.training_pixels(train_set.images, self.augment)

        def loss_of(indices):
            self.places.train()
            self.head.train()
            scores = self._scores(run.normalise(draw(indices)))
            return loss(scores, take_rows(labels, indices))

        trunk = list(self.places.parameters())
        statistics = [value for value in self.places.buffers() if value.is_floating_point()]
        with seeding.aside(run.seed("dropout"), run.device):
            train(
                [*trunk, *self.head.parameters(), *trained],
                loss_of,
                len(labels),
                Recipe.of(self),
                run,
                "fine-tuning",
                buffers=statistics,
                rates=dict.fromkeys(trunk, self.trunk_rate),
            )

    @torch.no_grad()
    def predict(self, images, run):
        self.places.eval()
        self.head.eval()
        return torch.cat([self._scores(part) for part in picture_parts(run, images)])

    def _scores(self, images: Tensor) -> Tensor:
        """(B, C) of normalised pictures (B, 3, S, S)."""
        return self.head(self.places(images), self.names())

    def _build(self, run) -> None:
        """The trunk, and a head of its width drawn with a seed of its own."""
        space = self.names().shape[1]
        self.places = trunks.make(self.trunk, run, self.local, space)
        shape = self.shape(self.places.width, space)
        with seeding.aside(run.seed("head"), "cpu"):
            self.head = Head(shape, self.dropout, self.dropout_at).to(run.device)

    def shape(self, places: int, text: int) -> Shape:
        """The widths of the head for places and text features of these widths."""
        width = self.width or places
        return Shape(
            places=places,
            text=text,
            width=width,
            hidden=max(1, int(self.expand * width)),
            heads=self.heads,
            head_width=self.head_width or max(1, width // 4),
            mlp=self.mlp_width or width,
            depth=self.depth,
        )

    def _check(self) -> None:
        """InputError for a setting that has no such value."""
        known = {"trunk": trunks.NAMES, "text": TEXT, "dropout_at": DROPPED}
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise unknown(f"value of {name}", getattr(self, name), values)
        for name in ("heads", "depth"):
            if getattr(self, name) < 1:
                raise InputError(f"hyperparameter {name}: {getattr(self, name)} must be 1 or more")
        if self.dropout >= 1:
            raise InputError(f"hyperparameter dropout: {self.dropout} must be below 1")
