"""`fit`: a method trained as its unit of a suite trains it, and its scores of any pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from benchmark.api import arguments, computing
from benchmark.api.arguments import maybe
from benchmark.api.computing import Means
from benchmark.api.selection import Selection, select
from benchmark.common import environment
from benchmark.common.errors import InputError

if TYPE_CHECKING:
    import pandas

    from benchmark.api.arguments import PathLike
    from benchmark.method.base import Method
    from benchmark.runner.fitted import FittedProcess
    from benchmark.suites.unit import Unit


class Fitted:
    """A fitted method: it lives in a process of its own, which ends with `close`, the end of a
    `with` block, this object or Python, whichever is first.

    record       what the record of its unit says, as far as it is known before the test images are
                 scored: `status` is "fitted" and metrics are missing; `curve` has the losses
    class_names  what the columns of scores stand for
    kind         what scores are: "logits" (CLIP-type: cosines by the logit scale, to be ranked or
                 put through a softmax over classes), "probabilities" (0 to 1, each class by itself)
                 or "raw" (to be ranked, no more); in all of them higher is more likely
    """

    def __init__(self, process: FittedProcess) -> None:
        self._process = process
        about = process.about()
        self.record: dict[str, Any] = about["record"]
        self.class_names: tuple[str, ...] = about["class_names"]
        self.kind: str = about["kind"]

    def scores(self, files: PathLike | Sequence[PathLike]) -> pandas.DataFrame:
        """The method's scores of pictures, float32: a row a file, a column a class.

        files   paths of pictures anywhere, those that are not absolute below the working folder;
                they stand in the index as they are given

        The pictures are prepared as those of the unit are, and scored by the method's `predict`, so
        the scores of the task's test images, in their order, are the bits that its unit stores. No
        picture's scores depend on another's, but for rounding. What is computed of them is kept
        nowhere; meanwhile it takes room in the system's folder for temporary files ($TMPDIR).

        InputError, in one line, for a picture that is not there or cannot be read; RuntimeError
        for whatever else the method raises.
        """
        import pandas

        given = arguments.listed(files, "files")
        found = self._process.scores(_full(given))
        names = [*self.class_names]
        index = pandas.Index(given, name="file", dtype=object)
        return pandas.DataFrame(found, index, names, dtype="float32")

    def close(self) -> None:
        """End the process, and with it whatever memory and device it holds."""
        self._process.end()

    def __enter__(self) -> Fitted:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Fitted {self._process.unit.text}: {len(self.class_names)} classes, {self.kind}>"


def _full(given: Sequence[PathLike]) -> list[str]:
    """Full paths; InputError for the first file that is not there."""
    full = [os.path.abspath(arguments.path(path, "files")) for path in given]
    missing = [path for path in full if not os.path.isfile(path)]
    if missing:
        number = f"{len(missing)} of {len(full)} missing"
        raise InputError(f"{missing[0]}: no such file, or this user may not see it ({number})")
    return full


def fit(
    task: str,
    method: str | type[Method],
    *,
    seed: int = 0,
    episode: int | None = None,
    suite: PathLike = "cimlic",
    data_root: PathLike | None = None,
    backbone: str | None = None,
    preprocess: str | None = None,
    precision: str | None = None,
    plugins: PathLike | Iterable[PathLike] = (),
    device: str = "auto",
) -> Fitted:
    """Train a method on a task, as its unit of the suite would: the same settings, seeds and bits.

    task       its name, such as "voc-lt" or "coco-fs-1"
    method     a label of the suite, a name or a class, as in `run`; plugins as there
    seed       of a long-tailed task
    episode    of a few-shot task, by default the first
    suite      whose settings the method has
    data_root, backbone, preprocess, precision, device   as in `run`

    Nothing is recorded. The stages that units share, such as the base stage of few-shot episodes,
    are read from the cache, where they are kept once they are trained. A deterministic method is
    trained with the suite's first seed or on the first episode, which stands for all.

    InputError for bad input, and where the method refuses the task; RuntimeError, with the method's
    traceback as a note, for whatever else it raises.
    """
    from benchmark.common import files
    from benchmark.runner.fitted import FittedProcess

    chosen = select(
        suite,
        tasks=[task],
        methods=[method],
        seeds=arguments.number(seed, "seed", 0),
        episodes=maybe(arguments.number, episode, "episode") or 1,
        data_root=data_root,
        backbone=backbone,
        preprocess=preprocess,
        precision=precision,
        plugins=plugins,
    )
    unit = _unit(chosen, seed, episode)
    means = Means(1, arguments.text(device, "--device"))
    files.check_writable(environment.cache(), "$CIMLIC_CACHE")
    made = chosen.made
    given = (chosen.choice, made, means, [unit], 1)
    job = computing.job(*given, suite=made.suite.name, folder=chosen.folder)
    process = FittedProcess(job, unit)
    try:
        return Fitted(process)
    except BaseException:
        process.end()
        raise


def _unit(chosen: Selection, seed: int, episode: int | None) -> Unit:
    """The one unit that is meant: of a few-shot task the last episode that was asked for."""
    (task,), (label,) = chosen.choice.tasks, chosen.choice.methods
    if not chosen.made.units:
        raise InputError(f"suite {chosen.made.suite.name}: {label} is not for task {task}")
    unit = chosen.made.units[-1]
    if unit.episode is None and episode is not None:
        raise InputError(f"task {task}: has no episodes; leave the episode out")
    if unit.episode is not None and seed:
        raise InputError(f"task {task}: varies by its episode; leave the seed out")
    return unit
