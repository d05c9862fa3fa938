"""Zero-shot CLIP: cosine between the image and "a photo of a {}." (Radford et al., ICML 2021)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from benchmark.clip.prompts import template_features
from benchmark.method import Method


class ZeroShot(Method):
    """One template, global view, nothing learned."""

    name = "zeroshot"
    scores = "logits"
    deterministic = True

    def __init__(self, template: str = "a photo of a {}.") -> None:
        self.template = template

    def fit(self, train, run) -> None:
        self.text = template_features(run.clip, train.class_names, self.template)

    def predict(self, images, run):
        image = torch.from_numpy(np.array(run.features(images))).to(run.device)
        return run.clip.logit_scale * F.normalize(image, dim=-1) @ self.text.T

    def local_scores(self, images, run):
        """The same of each place on its own, through the last attention's value path."""
        places = torch.from_numpy(np.array(run.features(images, "value"))).to(run.device)
        return F.normalize(places.float(), dim=-1) @ self.text.T
