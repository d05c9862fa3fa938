"""Linear probe: logistic regression on frozen CLIP features (Radford et al., ICML 2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.common.errors import InputError
from benchmark.method import Method
from benchmark.method.inputs import label_matrix
from benchmark.method.search_space import Range, SearchSpace

_CHUNK = 10  # L-BFGS iterations between two entries of the curve
_DONE, _NEARLY = 1e-9, 1e-3  # relative fall over a chunk at which a fit, and a trial of C, ends


class Head:
    """One logistic regression a class: logits X W^T + b, fitted by L-BFGS in float64.

    Minimises |w_c|^2 / 2 + C sum_n log-loss, scikit-learn's LogisticRegression, for all classes at
    once: the sum falls apart into one problem a class. The offset is not regularised. A class
    that no image or every image has is left out of the fit: its logit is a constant.
    """

    def __init__(self, features: Tensor, labels: Tensor) -> None:
        """features (N, D) and labels (N, C) to fit, on one device; any floating point."""
        x, self.labels = features.double(), labels.double()
        # With a free offset, centring changes the path to the solution and not the solution.
        self.mean = x.mean(0)
        self.x = x - self.mean
        count = self.labels.sum(0)
        self.fitted = (count > 0) & (count < len(x))
        odds = (count + 0.5) / (len(x) - count + 0.5)
        self.weight, self.offset = x.new_zeros(labels.shape[1], x.shape[1]), odds.log()

    def fit(self, strength: float, iterations: int, tolerance: float = _DONE) -> list[float]:
        """Fit with C = `strength` from where the head is; the objective before each chunk."""
        weight = self.weight[self.fitted].clone().requires_grad_()
        offset = self.offset[self.fitted].clone().requires_grad_()
        labels = self.labels[:, self.fitted]
        optimiser = torch.optim.LBFGS(
            [weight, offset],
            max_iter=_CHUNK,
            history_size=20,
            tolerance_grad=1e-7,
            tolerance_change=1e-12,
            line_search_fn="strong_wolfe",
        )

        def objective() -> Tensor:
            """The objective over C N."""
            optimiser.zero_grad()
            loss = F.binary_cross_entropy_with_logits(
                self.x @ weight.T + offset, labels, reduction="sum"
            )
            loss = (loss + weight.square().sum() / (2 * strength)) / len(labels)
            loss.backward()
            return loss

        curve: list[float] = []
        for _ in range(math.ceil(iterations / _CHUNK) if labels.numel() else 0):
            curve.append(optimiser.step(objective).item())  # what it was before the step
            if len(curve) > 1 and curve[-2] - curve[-1] < tolerance * curve[-2]:
                break
        self.weight[self.fitted], self.offset[self.fitted] = weight.detach(), offset.detach()
        return curve

    def __call__(self, features: Tensor) -> Tensor:
        """Logits (M, C) of features (M, D), float64."""
        return (features.double() - self.mean) @ self.weight.T + self.offset


def folds(labels: np.ndarray, count: int) -> np.ndarray:
    """A fold 0 to count - 1 of each image (N,), for labels (N, C); nothing is random.

    Images go to the folds in turn, sorted by their rarest class, so that the few images of a rare
    class do not fall into one fold.
    """
    rarity = np.where(labels > 0, labels.sum(0), np.inf)
    rarest = np.where(labels.any(1), rarity.argmin(1), labels.shape[1])
    place = np.empty(len(labels), np.int64)
    place[np.argsort(rarest, kind="stable")] = np.arange(len(labels))
    return place % count


@dataclass(kw_only=True, eq=False)
class LinearProbe(Method):
    """One-vs-rest logistic regression by L-BFGS on the global features; CLIP's images alone.

    As the authors' linear probe: features that are not normalised, L-BFGS, at most 1000
    iterations, and a C (the inverse of the regularisation) from 1e-6 to 1e6 by held-out data:
    every second decade first, until two in turn are worse, then the decade and the half decade
    beside the best so far. Theirs is a softmax over single labels and a validation set. Here
    `folds` folds of the training images take turns as held-out data, and the C with the best mean
    average precision over folds and classes wins; of equal ones the larger. Trials of a C end at
    a coarser tolerance than the last fit.

    strength     C if positive; 0 to choose it as above
    iterations   of L-BFGS at most, for each fit
    folds        2 or more

    Few-shot: fitted to the support set, without a base stage, as its classes are not the novel
    ones. If no class has two positives and two negatives (1 shot), nothing can be held out, and C
    is the authors' example's, 0.316. At miniature scale nothing differs.
    """

    name = "linear_probe"
    title = "Linear probe"
    scores = "probabilities"

    search_space: ClassVar[SearchSpace] = {
        "strength": Range(1e-4, 1e4, log=True),
    }

    strength: float = 0.0
    iterations: int = 1000
    folds: int = 4

    def fit(self, train_set, run) -> None:
        if self.strength < 0 or self.folds < 2 or self.iterations < 1:
            raise InputError(
                "hyperparameters of linear_probe: strength must be 0 or more, iterations 1 or "
                f"more, folds 2 or more; not {self.strength}, {self.iterations} and {self.folds}"
            )
        x = self._features(train_set.images, run)
        y = label_matrix(run, train_set)
        self.chosen = self.strength or self._choose(x, y)
        self.head = Head(x, y)
        curve = enumerate(self.head.fit(self.chosen, self.iterations), 1)
        run.curve += [{"stage": "probe", "epoch": n, "loss": loss} for n, loss in curve]

    def predict(self, images, run):
        return self.head(self._features(images, run)).sigmoid()

    def _features(self, images, run) -> Tensor:
        return torch.from_numpy(np.array(run.features(images))).to(run.device)

    def _choose(self, x: Tensor, y: Tensor) -> float:
        """C by cross-validation; the exponents of ten are looked through as the class says."""
        labels = y.cpu().numpy()
        if np.minimum(labels.sum(0), (1 - labels).sum(0)).max() < 2:
            return 0.316
        fold = folds(labels, self.folds)
        held = [torch.from_numpy(fold == n).to(x.device) for n in range(self.folds)]
        tried: dict[float, float] = {}
        heads = [Head(x[~rows], y[~rows]) for rows in held]
        for exponent in (-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0):
            tried[exponent] = self._score(heads, x, y, held, exponent)
            *_, before, last = 0.0, *tried.values()
            if max(before, last) < max(tried.values()):
                break  # worse twice in turn, and the weaker, the longer a fit takes
        for step in (1.0, 0.5):
            best = _best(tried)
            heads = [Head(x[~rows], y[~rows]) for rows in held]
            for exponent in (best - step, best + step):
                if -6 <= exponent <= 6:
                    tried[exponent] = self._score(heads, x, y, held, exponent)
        return 10 ** _best(tried)

    def _score(self, heads: list[Head], x: Tensor, y: Tensor, held, exponent: float) -> float:
        """Mean over folds and classes of the held-out average precision with C = 10^exponent.

        held   for each head, fitted to the others, which images (N,) are held out
        The heads go on from where they are: called from strong to weak, that is near.
        """
        from sklearn.metrics import average_precision_score

        found: list[float] = []
        for head, rows in zip(heads, held, strict=True):
            head.fit(10**exponent, self.iterations, _NEARLY)
            seen = y[rows].any(0)  # classes of which there is something to be found
            truth, scores = (z[:, seen].cpu().numpy() for z in (y[rows], head(x[rows])))
            found += np.ravel(average_precision_score(truth, scores, average=None)).tolist()
        return float(np.mean(found))


def _best(tried: dict[float, float]) -> float:
    """The exponent with the highest score; the strongest are often equal, as only order counts."""
    return max(tried, key=lambda exponent: (tried[exponent], exponent))
