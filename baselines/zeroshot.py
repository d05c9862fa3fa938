"""Zero-shot CLIP: cosine between the image and "a photo of a {}." (Radford et al., ICML 2021)."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.clip.prompts import template_features
from benchmark.method import Method
from benchmark.method.inputs import normalised_features


@dataclass(kw_only=True, eq=False)
class ZeroShot(Method):
    """One template, global view, nothing learned."""

    name = "zeroshot"
    title = "Zero-shot CLIP"
    scores = "logits"
    deterministic = True

    template: str = "a photo of a {}."

    def fit(self, train, run) -> None:
        self.text = template_features(run.clip, train.class_names, self.template)

    def predict(self, images, run):
        return run.clip.logit_scale * normalised_features(run, images) @ self.text.T

    def local_scores(self, images, run):
        """The same of each place on its own, through the last attention's value path."""
        return normalised_features(run, images, "value") @ self.text.T
