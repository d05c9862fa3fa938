"""The floor plan holds: who may import whom, no circle between files, what stands at the top.

Imports inside functions and under TYPE_CHECKING count like any other.
"""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {  # besides itself
    "common": (),
    "metrics": (),
    "data": ("common",),
    "published": ("common",),
    "clip": ("common", "data"),
    "miniature": ("common", "data"),
    "method": ("common", "data", "clip"),
    "suites": ("common", "data", "clip", "method"),
    "baselines": ("common", "data", "clip", "method"),
    "hpdval": ("common", "data", "clip", "method"),
    "records": ("common", "metrics", "data", "suites"),
    "runner": ("common", "metrics", "data", "clip", "method", "suites", "records"),
    "report": ("common", "data", "published", "suites", "records"),
    "diagnostics": (
        *("common", "metrics", "data", "published", "clip", "miniature", "method", "suites"),
        *("records", "runner", "baselines", "hpdval"),
    ),
    "api": (
        *("common", "metrics", "data", "published", "clip", "miniature", "method", "suites"),
        *("records", "runner", "report"),
    ),
    "cli": (
        *("common", "metrics", "data", "published", "clip", "miniature", "method", "suites"),
        *("records", "runner", "report", "diagnostics", "api"),
    ),
    "benchmark/__init__.py": ("common",),
    "benchmark/__main__.py": ("cli", "common"),
    "run_all.py": ("cli",),
}
NEVER = (  # inside a room: files below the first never import from the others
    ("benchmark/report/figures", ("benchmark/report/tables", "benchmark/report/page")),
    ("benchmark/data/splits", ("benchmark/data/official", "benchmark/data/root_check")),
    ("benchmark/data/annotations", ("benchmark/data/official", "benchmark/data/root_check")),
)
ROOMS = (
    *("cli", "api", "diagnostics", "report", "runner", "records", "suites"),
    *("method", "clip", "miniature", "data", "published", "common"),
)
TOP = {*ROOMS, "__init__.py", "__main__.py", "metrics.py"}


def sources(root: Path) -> dict[str, Path]:
    """The project's files by their path below the root, tests left out."""
    folders = [root / name for name in ("benchmark", "baselines", "hpdval")]
    found = [*(file for folder in folders for file in folder.rglob("*.py")), root / "run_all.py"]
    return {file.relative_to(root).as_posix(): file for file in found}


def imports(root: Path) -> dict[str, set[str]]:
    """The files that each file imports from."""
    files = sources(root)
    return {name: set(_targets(path, files)) - {name} for name, path in files.items()}


def _targets(path: Path, files: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield from _file_of(name.split("."), files)


def _file_of(parts: list[str], files: dict[str, Path]) -> Iterator[str]:
    """The file of a dotted name, or of what it is taken from."""
    for end in (len(parts), len(parts) - 1):
        stem = "/".join(parts[:end])
        for name in (f"{stem}.py", f"{stem}/__init__.py"):
            if name in files:
                yield name
                return


def room(file: str) -> str:
    """Which row of the table a file belongs to."""
    top, _, rest = file.partition("/")
    if file in MAY_IMPORT or top != "benchmark":
        return file if file in MAY_IMPORT else top
    return rest.partition("/")[0].removesuffix(".py")


def crossings(root: Path) -> list[str]:
    """Imports that the table does not allow."""
    return [
        f"{file} imports {target}"
        for file, targets in sorted(imports(root).items())
        for target in sorted(targets)
        if room(target) not in (room(file), *MAY_IMPORT.get(room(file), ()))
        or any(
            file.startswith(f"{inside}/") and target.startswith(tuple(f"{o}/" for o in others))
            for inside, others in NEVER
        )
    ]


def circles(root: Path) -> list[str]:
    """The files of one circle, in its order; none if there is no circle."""
    try:
        graphlib.TopologicalSorter(imports(root)).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def strays(root: Path) -> list[str]:
    """What stands at the top of benchmark/ and should not, or should and does not."""
    entries = {path.name for path in (root / "benchmark").iterdir()} - {"__pycache__"}
    return sorted(entries ^ TOP)


def test_imports_follow_the_floor_plan():
    assert crossings(ROOT) == []


def test_no_file_imports_itself_by_way_of_others():
    assert circles(ROOT) == []


def test_the_top_of_the_package_holds_the_rooms_and_nothing_else():
    assert strays(ROOT) == []


@pytest.mark.parametrize(
    "file, line, problem",
    [
        ("data/tasks.py", "def late():\n    from benchmark.miniature import build", crossings),
        ("common/errors.py", "import benchmark.metrics", crossings),
        ("report/figures/bars.py", "from benchmark.report.tables import table", crossings),
        ("data/splits/lists.py", "from benchmark.data.official import fetch", crossings),
        ("common/errors.py", "if TYPE_CHECKING:\n    import benchmark.common.files", circles),
        ("draws.py", "", strays),
    ],
)
def test_a_broken_copy_is_found_out(tmp_path, file, line, problem):
    for name, path in sources(ROOT).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(path.read_bytes())
    assert problem(tmp_path) == []
    with (tmp_path / "benchmark" / file).open("a") as broken:
        broken.write(f"\n{line}\n")
    assert any(file in found for found in problem(tmp_path))
