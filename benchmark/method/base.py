"""Method, the plugin base class: what a method declares, learns and returns."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, ClassVar

from benchmark.method.run import Run
from benchmark.method.search_space import SearchSpace

if TYPE_CHECKING:  # --help, --list and --status come this way: no torch
    from torch import Tensor

    from benchmark.data.images import ImageList, LabelledImages
    from benchmark.data.tasks import Task


class Method(abc.ABC):
    """A method: one class in one file, made anew for each unit, that learns and scores images.

    A class says of itself
        name           how suites, flags and records call it; unique
        title          how tables and figures call it, e.g. "DualCoOp"; without one, by its name
        version        from 1 on; raise it when results change: it is part of a unit's identity
        scores         what `predict` returns: "logits" (CLIP-type; `map_softmax` is recorded too),
                       "probabilities" (0 to 1; CF1 and OF1 at 0.5 are recorded too) or "raw"
        deterministic  nothing is random, nothing is learned from an episode: one unit stands
                       for all
        search_space   which values of which hyperparameters `python -m benchmark tune` may try;
                       empty: there is nothing to choose, and one trial is all
        its docstring  the first line is shown by `run_all.py --list`

    Hyperparameters are the keywords of `__init__`. Each has a default that a record can hold, a
    number, a text, a bool, None or a tuple of them, and is stored under its own name; nothing
    else is. `@dataclass(kw_only=True, eq=False)` writes such an `__init__` from annotated fields,
    and a subclass then states only what differs; one that is written out is as good.

    To write: `fit` and `predict`. Optional: `skip`, `check_files`, `local_scores` and, for few-shot
    tasks only, `fit_base`, `state` and `load_state`, all three or none.

    A unit calls `skip`, then `fit`, then `predict`, with --oracle also after each epoch of `fit`.
    Where there is a base stage, one object's `fit_base` and `state` come first; every episode has
    an object of its own, which gets that state by `load_state` before `fit`. What `predict` needs
    is kept in attributes.

    They are given
        train, base    `LabelledImages`: images (an `ImageList`), labels (N, C) float32 of 0 and 1,
                       C class_names, and captions, N texts or None
        images         an `ImageList` of N images, to be read through `run`
        run            the unit's `Run`: frozen CLIP, features, pictures, a device, seeds
        task           the `Task`: its setting, "long-tailed" or "few-shot", dataset, shots, train

    Let `fit` raise InputError, one line with the remedy, for settings that cannot be; whatever
    else is raised fails the unit alone, and the others go on.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    version: ClassVar[int] = 1
    scores: ClassVar[str] = "raw"
    deterministic: ClassVar[bool] = False
    search_space: ClassVar[SearchSpace] = {}

    def skip(self, task: Task) -> str | None:
        """A reason to refuse the task, which the table shows; None to take it."""
        return None

    def check_files(self) -> None:  # noqa: B027, optional
        """InputError, one line with the remedy, for a file that is not on this machine.

        Of those that it reads beside the data and CLIP, such as weights of another network. Asked
        where jobs are submitted, as the machines that compute them may have no network.
        """

    def fit_base(self, base: LabelledImages, run: Run) -> None:  # noqa: B027, optional
        """Few-shot only: learn from the base classes what every episode starts from.

        Its classes are others than those of `fit`. A hyperparameter `base` that is false leaves
        the stage out.
        """

    def state(self) -> dict[str, Tensor]:
        """What `fit_base` learned, as tensors by name: stored, and shared by all episodes."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:  # noqa: B027, optional
        """Let `fit` start from what `state` returned; the tensors are shared, so train copies."""

    @abc.abstractmethod
    def fit(self, train: LabelledImages, run: Run) -> None:
        """Learn from N training images and their labels (N, C); there is no test data to see."""

    @abc.abstractmethod
    def predict(self, images: ImageList, run: Run) -> Tensor:
        """Scores (N, C) of N images, a Tensor: floating point, finite, higher meaning more likely.

        Columns are in the order of the training set's class_names. An image's scores depend on
        no other image.
        """

    def local_scores(self, images: ImageList, run: Run) -> Tensor | None:
        """For pictures in the report alone: how much each place looks like each class, (K, L, C).

        Of K images and L places, row by row. Called after `predict`; no result depends on it.
        """
        return None


def refusal(method: Method, task: Task) -> str | None:
    """Why the method refuses the task, None if it takes it; TypeError for another answer."""
    reason = method.skip(task)
    if not is_answer(reason):
        remedy = "return None to take the task, or the reason as text"
        raise TypeError(f"skip returned {reason!r}; {remedy}")
    return reason


def is_answer(reason: object) -> bool:
    """Whether `skip` may return it: None, or a text that says something."""
    return reason is None or (isinstance(reason, str) and any(map(str.isalpha, reason)))


def has_base(method: Method) -> bool:
    """Whether it learns on base classes; a hyperparameter `base` that is false leaves that out."""
    return type(method).fit_base is not Method.fit_base and getattr(method, "base", True)


def refuse_base(method: Method, task: Task) -> str | None:
    """Why class-specific prompts cannot learn on a task's base classes first; None if they can.

    `method` has the hyperparameters base and class_specific.
    """
    if method.base and method.class_specific and task.setting == "few-shot":
        return "contexts of base classes do not fit novel ones: base or class_specific, not both"
    return None
