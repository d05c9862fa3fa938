"""The stages of a unit that others share: fetched or built, their seconds and curves counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from benchmark import states

if TYPE_CHECKING:
    import torch

    from benchmark.compute import Lab
    from benchmark.method import Run
    from benchmark.tasks import Task
    from benchmark.units import Unit


class SharedStages:
    """`Run.keep` of one unit: fetches its shared stages, and counts their seconds.

    seconds    of all of them, whoever built them; None where there are none
    building   of those that this unit built itself: part of the time that its `fit` took
    """

    def __init__(self, lab: Lab, unit: Unit, task: Task, run: Run) -> None:
        self.lab, self.unit, self.train, self.run = lab, unit, task.train, run
        self.seconds: float | None = None
        self.building = 0.0
        run.keep = self

    def __call__(self, what: Mapping[str, Any], build: Callable) -> dict[str, torch.Tensor]:
        """See `Run.shared`; the stage's loss curve goes on in the unit's own."""
        curve = self.run.curve
        known = len(curve)

        def built() -> states.State:
            tensors, seconds = self.lab.timed(build)
            self.run.clip.check_frozen()
            self.building += seconds
            return states.State(tensors, seconds, curve[known:])

        state = self.lab.state(states.shared_identity(self.unit, self.train, what), built)
        curve[known:] = state.curve
        self.seconds = round((self.seconds or 0.0) + state.seconds, 3)
        return state.tensors
