"""The one training loop: batches, optimiser, schedule, EMA and the loss curve."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.method.base import Method
from benchmark.method.run import Run

OPTIMISERS = ("sgd", "adamw")
SCHEDULES = ("constant", "cosine", "onecycle")


@dataclass(frozen=True)
class Recipe:
    """How to train.

    optimiser  "sgd", with momentum 0.9, or "adamw"
    schedule   "constant"; "cosine": CoOp's, per epoch (`trainers/coop.py`);
               "onecycle": one cycle over all steps, `rise` of them rising; over those of `cycle`
               epochs if training is to stop before the cycle's end
    warmup     first epochs at a rate of 1e-5, but under "onecycle"
    ema        decay of the parameters' exponential moving average, 0 for none. It begins with the
               start and is not corrected for that: after n steps the start has a weight of ema^n
    beta2, eps AdamW's decay of squared gradients, and what it adds to their root
    decay_all  also biases, norms and other parameters of less than two dimensions decay
    """

    epochs: int
    lr: float
    batch_size: int = 32
    optimiser: str = "adamw"
    weight_decay: float = 1e-4
    schedule: str = "constant"
    warmup: int = 0
    rise: float = 0.1
    ema: float = 0.0
    cycle: int = 0
    beta2: float = 0.999
    eps: float = 1e-8
    decay_all: bool = False

    @classmethod
    def of(cls, method: Method, **others: Any) -> Recipe:
        """The method's hyperparameters that have a field's name, and `others` in their place."""
        own = {f.name: getattr(method, f.name) for f in fields(cls) if hasattr(method, f.name)}
        return cls(**own | others)


def train(
    parameters: Iterable[nn.Parameter],
    loss_of: Callable[[Tensor], Tensor],
    count: int,
    recipe: Recipe,
    run: Run,
    stage: str,
    *,
    chances: Tensor | None = None,
    buffers: Iterable[Tensor] = (),
    rates: Mapping[nn.Parameter, float] | None = None,
) -> None:
    """Minimise `loss_of(indices)` over batches of the `count` training images, in place.

    parameters   float32, TypeError otherwise; with EMA they end as their moving average
    loss_of      from indices (B,) of training images, int64 on the CPU, to a scalar with a gradient
    stage        names the order of batches, which depends on the unit and this alone, and the
                 curve's entries {"stage", "epoch", "loss"}: the mean loss of each epoch, from 1 on
    chances      weights (count,) by which an epoch's `count` images are drawn, with replacement;
                 None: each of them once
    buffers      what `loss_of` changes beside the parameters, such as the statistics of a batch
                 norm in training: floats, which end as their moving average too
    rates        factors on the learning rate of single parameters, 0 for one that stays as it is;
                 1 for the others
    If the harness put an `after_epoch` in the run, it is called with the stage and the epoch, the
    moving average being in place. ValueError for an unknown optimiser or schedule.
    """
    parameters = list(parameters)
    _check_float32(parameters)
    steps = math.ceil(count / recipe.batch_size)
    if not recipe.epochs:
        return
    optimiser = _optimiser(parameters, recipe, rates or {})
    schedule = _schedule(optimiser, recipe, steps)
    kept = [tensor.detach() for tensor in (*parameters, *buffers)]
    # What the training ends with: a moving average, or without one the tensors themselves.
    average = [tensor.clone() if recipe.ema else tensor for tensor in kept]
    order = run.generator(f"batches {stage}")
    for epoch in range(recipe.epochs):
        losses = []
        batches = drawn(count, chances, order).split(recipe.batch_size)
        run.announce(batches[0])
        for indices, following in zip(batches, [*batches[1:], None], strict=True):
            if following is not None:
                run.announce(following)  # it is read meanwhile
            with run.precision.step(run.device):
                loss = loss_of(indices)
            loss = loss.float() if run.precision.bf16 else loss
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.detach())
            if recipe.ema:
                torch._foreach_lerp_(average, kept, 1 - recipe.ema)
        mean = float(torch.stack(losses).mean())
        run.curve.append({"stage": stage, "epoch": epoch + 1, "loss": mean})
        if run.after_epoch:
            with _averaged(kept, average):
                run.after_epoch(stage, epoch + 1)
    run.draws.clear()  # a later stage draws its own
    _put(kept, average)


def drawn(count: int, chances: Tensor | None, generator: torch.Generator) -> Tensor:
    """The images of an epoch (count,) in order, each once or by their `chances`: see `train`."""
    if chances is None:
        return torch.randperm(count, generator=generator)
    return torch.multinomial(chances.double(), count, replacement=True, generator=generator)


@contextlib.contextmanager
def _averaged(kept: list[Tensor], average: list[Tensor]) -> Iterator[None]:
    """Their moving average in the tensors' place for a while; without one, themselves."""
    own = [tensor.clone() for tensor in kept]
    _put(kept, average)
    try:
        yield
    finally:
        _put(kept, own)


def _put(tensors: list[Tensor], values: list[Tensor]) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        tensor.copy_(value)


def _check_float32(parameters: list[nn.Parameter]) -> None:
    """Half precision would change results without a word, and save nothing in small heads."""
    wrong = {str(p.dtype) for p in parameters if p.dtype != torch.float32}
    if wrong:
        raise TypeError(f"parameters to train are {', '.join(sorted(wrong))}; make them float32")


def _optimiser(
    parameters: list[nn.Parameter], recipe: Recipe, rates: Mapping[nn.Parameter, float]
) -> torch.optim.Optimizer:
    least = 0 if recipe.decay_all else 2  # dimensions of what decays
    alike: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for parameter in parameters:
        kind = parameter.ndim >= least, rates.get(parameter, 1.0)
        alike.setdefault(kind, []).append(parameter)
    groups = [
        {
            "params": group,
            "lr": recipe.lr * rate,
            "weight_decay": recipe.weight_decay if decays else 0.0,
        }
        for (decays, rate), group in alike.items()
    ]
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=0.9, fused=True)
    if recipe.optimiser == "adamw":
        betas = (0.9, recipe.beta2)
        return torch.optim.AdamW(groups, lr=recipe.lr, betas=betas, eps=recipe.eps, fused=True)
    raise ValueError(f"optimiser: unknown '{recipe.optimiser}'; known: {', '.join(OPTIMISERS)}")


def _schedule(optimiser, recipe: Recipe, steps: int):
    if recipe.schedule == "onecycle":
        total = max(recipe.epochs, recipe.cycle) * steps + 1
        highest = [group["lr"] for group in optimiser.param_groups]
        # torch divides by the length of a rise that ends where it begins.
        rise = recipe.rise + 1e-9 * (recipe.rise * total == 1)
        return torch.optim.lr_scheduler.OneCycleLR(
            optimiser, highest, total_steps=total, pct_start=rise
        )

    def factor(step: int) -> float:
        epoch = step // steps
        if epoch < recipe.warmup:
            return 1e-5 / recipe.lr
        if recipe.schedule == "cosine":
            return 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs))
        if recipe.schedule == "constant":
            return 1.0
        raise ValueError(f"schedule: unknown '{recipe.schedule}'; known: {', '.join(SCHEDULES)}")

    return torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
