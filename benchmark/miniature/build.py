"""The miniature data root, built once: pictures and annotations in COCO's and VOC's layouts."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path

import numpy as np

from benchmark.common import files, processes
from benchmark.data import class_words, holdouts, splits
from benchmark.data.captions import miniature_file
from benchmark.data.splits import Row, Split
from benchmark.miniature import banks, captions, concepts, label_sets, scenes
from benchmark.miniature.banks import Bank
from benchmark.miniature.label_sets import VERSION
from benchmark.miniature.scenes import Placed

_HERE = Path(__file__).parent
_SENTENCES = {"coco": 5, "voc": 1}  # of a caption, as in the published ones
_CHUNK = 200  # images per job
_QUALITY = 90
# COCO's category ids run from 1 to 90 and leave these out.
_GAPS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
# Files that say how large each file of a part is, written when it is drawn.
_MAIN, _DEVELOPMENT = "drawn.json", "development-drawn.json"
_CROWD = 3  # of one class, the instances from this one on are flagged iscrowd


Pictures = dict[str, list[Placed]]  # rendered images: path below the root -> what is drawn there


def built(cache: Path) -> Path | None:
    """The miniature's data root below `cache`; None while it is not built."""
    root = _root(cache)
    return root if root.is_dir() else None


def _root(cache: Path) -> Path:
    return cache / f"miniature-{VERSION}-{_digest()}"


def ensure(cache: Path, development: bool = False) -> Path:
    """The miniature's data root below `cache`, built if it is not there.

    development   with the development pictures, which few runs need
    Safe when several processes start at once; an interrupted build leaves nothing behind that a
    later one would take for whole. If a file is missing or cut, all are drawn anew, which a line
    on stderr says. DiskFull if there is no room.
    """
    root = _root(cache)
    parts = (_MAIN, _DEVELOPMENT) if development else (_MAIN,)
    if not all(_is_whole(root, part) for part in parts):
        cache.mkdir(parents=True, exist_ok=True)
        with files.room(cache), files.lock(cache / "miniature.lock"):
            if not _is_whole(root, _MAIN):
                _say_if_damaged(root, root)
                _replace(root)
            if development and not _is_whole(root, _DEVELOPMENT):
                _say_if_damaged(root, root / _DEVELOPMENT)
                render(root, ("development",))
                _note(root, _DEVELOPMENT)
    return root


def _say_if_damaged(root: Path, trace: Path) -> None:
    if trace.exists():
        print(f"warning: {root}: pictures are missing or cut; drawn anew", file=sys.stderr)


def _replace(root: Path) -> None:
    """Build aside, then put the result in the root's place. The lock is held."""
    for leftover in root.parent.glob("miniature-*.tmp"):  # of killed processes
        shutil.rmtree(leftover, ignore_errors=True)
    aside = [tempfile.mkdtemp(prefix="miniature-", suffix=".tmp", dir=root.parent) for _ in "no"]
    new, old = map(Path, aside)
    try:
        build(new)
        _note(new, _MAIN)
        new.chmod(0o755)
        if root.exists():
            os.replace(root, old)
        os.replace(new, root)
    finally:
        for folder in aside:
            shutil.rmtree(folder, ignore_errors=True)


def _note(root: Path, part: str) -> None:
    """Write down how large each file of a part is: all that are not the main part's.

    Not VOC's XML, one a picture: no run reads it, and to look at it would double the time.
    """
    known = _noted(root, _MAIN) or {}
    sizes = {}
    for folder, _, _ in os.walk(root):
        name = os.path.relpath(folder, root)
        if os.path.basename(folder) != "Annotations":
            sizes[name] = dict(_sizes(folder).items() - known.get(name, {}).items())
    with files.atomic(root / part) as temporary:
        temporary.write_text(json.dumps(sizes))


def _is_whole(root: Path, part: str) -> bool:
    """Whether all files of a part are there and as large as when they were drawn."""
    noted = _noted(root, part)
    if noted is None:
        return False
    return all(of.items() <= _sizes(root / folder).items() for folder, of in noted.items())


def _noted(root: Path, part: str) -> dict[str, dict[str, int]] | None:
    try:
        return json.loads((root / part).read_text())
    except (OSError, ValueError):
        return None


def _sizes(folder: str | Path) -> dict[str, int]:
    """Bytes of each file in a folder; none if there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
    except OSError:
        return {}


def build(root: Path, workers: int | None = None) -> None:
    """Render the training and test images below `root`; write their annotations and captions."""
    render(root, ("training", "test"), workers)
    write_captions(root)


def render(root: Path, parts: Sequence[str], workers: int | None = None) -> None:
    """Render every image of the world files of these parts below `root`; write the annotations.

    workers   processes, by default one a core and at most 8; the bytes do not depend on it
    """
    sets = {path.stem: _read(path.stem) for path in _world_files() if part_of(path.stem) in parts}
    for folder in {os.path.dirname(path) for rows in sets.values() for path, *_ in rows}:
        (root / folder).mkdir(parents=True, exist_ok=True)
    workers = workers or min(os.cpu_count() or 1, 8)
    pictures: Pictures = {}
    for part in parts:
        rows = [row for name, rows in sets.items() if part_of(name) == part for row in rows]
        pictures |= _render_part(root, part, rows, workers)
    for name, rows in sets.items():
        chosen = {path: pictures[path] for path, *_ in rows}
        if name.startswith("VOC"):
            _write_voc(root, name, chosen)
        else:
            _write_coco(root / "annotations" / f"instances_{name}.json", chosen)


def part_of(name: str) -> str:
    """The part of the world that a world file belongs to, and whose bank its images draw from."""
    if "dev" in name:
        return "development"
    return "training" if "train" in name else "test"


def _render_part(root: Path, part: str, rows: list, workers: int) -> Pictures:
    """Draw one part's bank, then its images."""
    names, count, world = list(concepts.load()), banks.INSTANCES[part], (banks.WORLD[part],)
    with processes.pool(workers) as pool:
        drawn = pool.map(banks.instances, names, repeat(count), repeat(world))
        bank = dict(zip(names, drawn, strict=True))
    chunks = [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
    with processes.pool(workers, _start_worker, bank) as pool:
        return dict(pair for done in pool.map(_render, repeat(root), chunks) for pair in done)


def write_captions(root: Path) -> None:
    """Write the captions of the training images: a file for each kind of list of each split.

    Lines are `<path> <caption>`, as in the files that LMPT publishes. A caption speaks of the
    labels that the list gives an image: those of the base classes, of the novel ones, or all.
    """
    for name in splits.names("miniature"):
        split = splits.read(name, "miniature")
        for part, rows in _training_rows(split).items():
            lines = []
            for path, labels in sorted(rows):
                names = [split.classes[k] for k in labels]
                lines.append(f"{path} {captions.describe(path, names, _SENTENCES[split.dataset])}")
            file = miniature_file(root, name, part)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _training_rows(split: Split) -> dict[str, set[Row]]:
    if split.setting == "long-tailed":
        return {"train": set(splits.entries(split, "train.txt"))}
    base = splits.entries(split, "base_train.txt")
    episodes = [name for name in split.files if "episodes/" in name]  # development's too
    return {
        "base_train": set(base),
        "episodes": {row for name in episodes for row in splits.entries(split, name)},
        "holdout": set(holdouts.pseudo_novel(split, base)[1]),
    }


def _digest() -> str:
    """Changes with everything that decides how a picture looks."""
    names = ("concepts.yaml", "banks.py", "scenes.py", "sprites.py", "captions.py", "build.py")
    files = [*(_HERE / name for name in names), class_words.PATH, *_world_files()]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:10]


def _world_files() -> list[Path]:
    return sorted(label_sets.IMAGES.glob("*.txt"))


def _read(name: str) -> list[tuple[str, list[str], frozenset[str]]]:
    """Rows of a world file: image path, concept names, and those present only as difficult."""
    coco = list(concepts.load())
    voc = [name for _, name in sorted(class_words.coco_names().items())]
    names = voc if name.startswith("VOC") else coco
    return [
        (path, [names[k] for k in sorted(sure + hard)], frozenset(names[k] for k in hard))
        for path, sure, hard in label_sets.read_world(name)
    ]


_bank: Bank = {}  # of this worker process


def _start_worker(bank: Bank) -> None:
    _bank.update(bank)


def _render(root: Path, rows: list) -> list[tuple[str, list[Placed]]]:
    return [(row[0], _render_one(root, *row)) for row in rows]


def _render_one(root: Path, path: str, names: list[str], hard: frozenset[str]) -> list[Placed]:
    """Draw one image; all that is random in it derives from the version and its path."""
    seed = hashlib.sha256(f"{VERSION}/{path}".encode()).digest()
    rng = np.random.default_rng(np.frombuffer(seed, np.uint32))
    rng.shuffle(names)
    names = [name for name in names if name not in hard]
    others = _bystanders(rng) if path.startswith("VOC") else []
    shown = [*names, *others, *sorted(hard)]
    image, placed = scenes.compose(shown, scenes.BENCHMARK, _bank, rng, hard)
    image.save(root / path, quality=_QUALITY)
    return [item for item in placed if item.name not in others]


def _bystanders(rng: np.random.Generator) -> list[str]:
    """Concepts that VOC has no class for: its pictures show them, its annotations do not."""
    voc = set(class_words.coco_names().values())
    unnamed = [name for name in concepts.load() if name not in voc]
    return rng.choice(unnamed, rng.poisson(scenes.BYSTANDERS), replace=False).tolist()


def _write_coco(path: Path, pictures: Pictures) -> None:
    """An instances JSON file; the image ids are those in the file names."""
    ids = [i for i in range(1, 91) if i not in _GAPS]
    category = dict(zip(concepts.load(), ids, strict=True))
    images, annotations = [], []
    side = scenes.SIDE
    for file, objects in pictures.items():
        name = os.path.basename(file)
        image_id = int(name.split("_")[-1].split(".")[0])
        images.append({"id": image_id, "file_name": name, "width": side, "height": side})
        seen: Counter[str] = Counter()
        for item in objects:
            seen[item.name] += 1
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": category[item.name],
                    "bbox": item.box,
                    "area": item.area,
                    "iscrowd": int(seen[item.name] >= _CROWD),
                }
            )
    categories = [
        {"id": category[c.name], "name": c.name, "supercategory": c.group}
        for c in concepts.load().values()
    ]
    info = {"description": f"CI-MLIC miniature, version {VERSION}: rendered, not COCO"}
    lists = {"images": images, "annotations": annotations, "categories": categories}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"info": info, **lists}))


def _write_voc(root: Path, name: str, pictures: Pictures) -> None:
    """`name` is e.g. VOC2007_trainval: XML per image, and the image sets as VOC lists them."""
    year, subset = name.split("_")
    folder = root / "VOCdevkit" / year
    (folder / "Annotations").mkdir(exist_ok=True)
    (folder / "ImageSets" / "Main").mkdir(parents=True, exist_ok=True)
    spelling = {name: voc for voc, name in class_words.coco_names().items()}
    stems = {Path(path).stem: objects for path, objects in pictures.items()}
    (folder / "ImageSets" / "Main" / f"{subset}.txt").write_text("\n".join(stems) + "\n")
    for stem, objects in stems.items():
        text = _annotation(year, f"{stem}.jpg", objects, spelling)
        (folder / "Annotations" / f"{stem}.xml").write_text(text)
    for concept, label in spelling.items():
        lines = []
        for stem, objects in stems.items():
            found = [item.difficult for item in objects if item.name == concept]
            flag = -1 if not found else 0 if all(found) else 1  # 0: difficult objects only
            lines.append(f"{stem} {flag:2d}")
        path = folder / "ImageSets" / "Main" / f"{label}_{subset}.txt"
        path.write_text("\n".join(lines) + "\n")


def _annotation(year: str, file: str, objects: list[Placed], spelling: dict[str, str]) -> str:
    """The XML of one image; VOC counts pixels from 1, and a box includes its last ones."""
    size = {"width": scenes.SIDE, "height": scenes.SIDE, "depth": 3}
    parts = [f"<folder>{year}</folder><filename>{file}</filename>", _element("size", size)]
    for item in objects:
        x, y, width, height = item.box
        box = {"xmin": x + 1, "ymin": y + 1, "xmax": x + width, "ymax": y + height}
        name = f"<name>{spelling[item.name]}</name><difficult>{int(item.difficult)}</difficult>"
        parts.append(f"<object>{name}{_element('bndbox', box)}</object>")
    return f"<annotation>{''.join(parts)}</annotation>"


def _element(tag: str, numbers: dict[str, int]) -> str:
    return f"<{tag}>{''.join(f'<{k}>{n}</{k}>' for k, n in numbers.items())}</{tag}>"
