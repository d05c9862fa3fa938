"""`make_splits`: split lists of one's own pictures, as `python -m benchmark splits make`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from benchmark.api import arguments
from benchmark.api.arguments import maybe
from benchmark.common import environment

if TYPE_CHECKING:
    from benchmark.api.arguments import Names, PathLike
    from benchmark.data.own.make import Made


def make_splits(
    name: str,
    *,
    images: PathLike,
    labels: PathLike,
    data_root: PathLike | None = None,
    test_labels: PathLike | None = None,
    test_share: float | None = None,
    long_tailed: tuple[int, int] | None = None,
    few_shot: bool = False,
    novel: Names = None,
    shots: int | Sequence[int] = (1, 5),
    episodes: int = 10,
    groups: tuple[int, int] | Literal["thirds"] = (100, 20),
    template: str | None = None,
    names: PathLike | Mapping[str, str] | None = None,
    seed: int = 0,
    replace: bool = False,
) -> Made:
    """Make the splits of one's own pictures, all or nothing; their tasks are like any other.

    name         of the data: its tasks are NAME-lt and, for few_shot, NAME-fs-1, NAME-fs-5
    images       the folder of the pictures: the data root or one below it
    labels       CSV or TSV, COCO's instances JSON, or a folder of VOC XML or YOLO files
    data_root    the folder that `run` is given too ($CIMLIC_DATA_ROOT)
    test_labels  the labels of the test pictures, in any of the forms, of the same `images`
    test_share   or the share of pictures taken for the test, 0.2 by default
    long_tailed  (MAX, MIN): draw an imbalanced training list as COCO-LT was drawn
    few_shot     make a few-shot split too, with the classes `novel`, named as the labels name them,
                 and so many `episodes` of each number of `shots`
    groups       (HEAD, TAIL): head classes have HEAD training pictures or more, tail classes fewer
                 than TAIL; or "thirds"
    template     what CLIP reads of a class, such as "a chest x-ray showing {}"
    names        a CSV file, or a mapping: class in the labels -> the name that CLIP reads instead
    seed         of all that is drawn
    replace      whether splits that are there, and different, make place

    What it returns says, printed, what was understood of the labels, and has `tasks` that can be
    run, `notes`, `folders` of the splits by name, and those that were `written`. InputError, one
    line that names file, row and remedy, for whatever is wrong; nothing is written then.
    """
    from benchmark.clip import name_length
    from benchmark.common import files
    from benchmark.data.own import make
    from benchmark.data.own.choices import Choices

    given = maybe(arguments.path, data_root, "--data-root")
    root = environment.given_data_root(given and str(given))
    files.check_readable(root)
    chosen = Choices(
        test_labels=maybe(arguments.path, test_labels, "--test-labels"),
        test_share=test_share,
        long_tailed=long_tailed,
        few_shot=few_shot,
        novel=arguments.names(novel, "--novel") or (),
        shots=arguments.numbers(shots, "--shots"),
        episodes=episodes,
        groups=groups,
        template=template,
        names=names if isinstance(names, Mapping) else maybe(arguments.path, names, "--names"),
        seed=seed,
        replace=replace,
    )
    folder, file = arguments.path(images, "--images"), arguments.path(labels, "--labels")
    return make.make(name, folder, file, root, chosen, name_length.check)
