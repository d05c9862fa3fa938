"""From flags to units: reads the suite, finds the methods, checks everything, expands, selects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.clip import resolve
from benchmark.common import errors
from benchmark.common.errors import InputError
from benchmark.data import tasks
from benchmark.data.tasks import TaskInfo
from benchmark.method import registry
from benchmark.method.registry import MethodInfo
from benchmark.suites import expand, load
from benchmark.suites.expand import Known
from benchmark.suites.suite import MethodEntry, Suite
from benchmark.suites.tables import ReportLayout
from benchmark.suites.titles import titles
from benchmark.suites.unit import Unit

if TYPE_CHECKING:
    from benchmark.clip.backbone import Backbone


@dataclass(frozen=True)
class Choice:
    """What the flags choose; None where the suite's own value stands."""

    suite: str
    tasks: tuple[str, ...] | None = None
    methods: tuple[str, ...] | None = None
    seeds: tuple[int, ...] | None = None
    episodes: int | None = None
    data_root: Path | None = None
    backbone: str | None = None
    plugins: tuple[Path, ...] = ()
    preprocess: str | None = None
    precision: str | None = None
    download: bool = True  # False: a look at the plan fetches no weights

    @property
    def scale(self) -> str:
        """The miniature, unless a folder with the real images is given."""
        return "miniature" if self.data_root is None else "paper"


@dataclass(frozen=True)
class Plan:
    """A checked suite: the units that the flags select, and those that they leave aside."""

    suite: Suite
    scale: str
    backbone: Backbone
    units: tuple[Unit, ...]
    others: tuple[Unit, ...]  # of the same suite and methods, but not selected
    known: Known  # what they were checked against
    titles: Mapping[str, str] = field(default_factory=dict)  # label -> what tables call it

    @property
    def layout(self) -> ReportLayout:
        """How the suite arranges its report, under the names that people read."""
        return replace(self.suite.layout, titles=self.titles)

    def reported(self, done: Mapping[str, object]) -> list[Unit]:
        """The units of the report: the selected, and others that have a record; in suite order."""
        kept = [unit for unit in self.others if unit.key in done]
        order = [*self.suite.tasks, *(u.task for u in self.units)]
        labels = [*(entry.label for entry in self.suite.methods), *(u.label for u in self.units)]
        return sorted(
            {unit.key + unit.label: unit for unit in (*self.units, *kept)}.values(),
            key=lambda u: (order.index(u.task), labels.index(u.label), u.seed, u.episode or 0),
        )


def make(choice: Choice) -> Plan:
    """The plan of a run; InputError if the suite or a flag is wrong, before any work is done."""
    whole = load.load_suite(choice.suite)
    methods = registry.methods(choice.plugins)
    whole = replace(whole, methods=whole.methods + _added(whole, methods, choice))
    selected = choice.tasks or whole.tasks
    infos = _infos(choice, selected)
    # Last, because it may download weights.
    backbone = resolve.resolve(choice.backbone, choice.scale, choice.download)
    found = Known(choice.scale, infos, methods, backbone.name, backbone.weights_sha256)
    missing = {name for name, info in infos.items() if not info.split_sha256}
    available = tuple(name for name in whole.tasks if name not in missing)
    given = {"preprocess": choice.preprocess, "bits": choice.precision}
    everything = expand.expand(replace(whole, tasks=available), found, **given)
    if choice.episodes is not None and choice.episodes < 1:
        raise InputError(f"--episodes {choice.episodes}: must be 1 or more")
    wanted = choice.methods
    chosen = replace(
        whole,
        tasks=selected,
        episodes=choice.episodes or whole.episodes,
        methods=tuple(e for e in whole.methods if wanted is None or e.label in wanted),
    )
    units = expand.expand(chosen, found, choice.seeds, **given)
    keys = {(unit.key, unit.label) for unit in units}
    others = tuple(unit for unit in everything if (unit.key, unit.label) not in keys)
    named = titles(whole.methods, methods)
    return Plan(whole, choice.scale, backbone, tuple(units), others, found, named)


def _infos(choice: Choice, selected: Sequence[str]) -> dict[str, TaskInfo]:
    """All tasks there are. Of an official one whose split a data root lacks the identity is "",
    which only matters if it is selected: then it is an InputError."""
    known = tasks.known(choice.scale, choice.data_root)
    for name in choice.tasks or ():
        if name not in known:
            raise _unknown(name, known, choice)
    found = {}
    for name in known:
        try:
            found[name] = tasks.info(name, choice.scale, choice.data_root)
        except InputError:
            if name in selected:
                raise
            if not tasks.is_own(name):
                found[name] = tasks.unread(name)
    return found


def _unknown(name: str, known: Sequence[str], choice: Choice) -> InputError:
    """Why there is no such task, which may have been to be one of own images."""
    plain = errors.unknown("task", name, known)
    if not tasks.is_own(name):
        return plain
    if choice.data_root is None:
        return InputError(f"{plain}; those of own images need --data-root DIR")
    try:
        tasks.info(name, choice.scale, choice.data_root)
    except InputError as error:
        return error
    return plain


def _added(
    whole: Suite, methods: Mapping[str, MethodInfo], choice: Choice
) -> tuple[MethodEntry, ...]:
    """Entries beside the suite's: plugin files' methods, and methods that --methods names."""
    labels = {entry.label for entry in whole.methods}
    files = {path.resolve() for path in choice.plugins}
    added = [name for name, info in methods.items() if Path(info.file).resolve() in files]
    for name in choice.methods or ():
        if name not in labels and name not in methods:
            raise errors.unknown("method", name, labels | set(methods))
        added.append(name)
    new = [name for name in dict.fromkeys(added) if name not in labels]
    return tuple(MethodEntry(name, name, chosen=whole.chosen(name, name)) for name in new)
