"""report.md: the tables and figures of one run on one page, with what they rest on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmark.report import wording
from benchmark.report.grid import Grid, preprocess, restrictions, task_title
from benchmark.report.tables.formats import markdown, md_text
from benchmark.report.tables.sections import Section


def render(
    whole: Grid,
    sections: Sequence[Section],
    figures: Mapping[str, str],
    note: str = "",
    found: str = "",
) -> str:
    """The page as Markdown: facts of the `whole`, every section's table, and the figures.

    `figures`: {file name: caption} of the .png files beside it; `note`: which are left out;
    `found`: what the run says of the paper's headline gains.
    """
    rows = [f"| {name} | {md_text(text)} |" for name, text in facts(whole)]
    first, stop, rest = map(md_text, found.partition(". "))
    parts = [
        f"# {md_text(whole.suite)}, {md_text(wording.in_short(whole, whole.tasks))}",
        *([f"**{first}{stop.strip()}** {rest}".strip()] if found else []),
        "Generated from the records in `../records`; do not edit. "
        "How numbers are made and what the fields mean: `results/README.md` of the repository.",
        "\n".join(["| | |", "| :-- | :-- |", *rows]),
    ]
    for section in sections:
        name = section.table.name
        parts += [f"## {md_text(section.title)}", markdown(section.table).rstrip()]
        parts.append(f"As files: [{name}.csv]({name}.csv), [{name}.tex]({name}.tex).")
    if figures:
        parts.append("## Figures")
    for name, caption in figures.items():
        vector = name.removesuffix(".png") + ".svg"
        parts.append(f"![{md_text(caption.split(':')[0])}]({name})")
        parts.append(f"{md_text(caption)} ([svg]({vector}))")
    if note:
        parts.append(md_text(note))
    return "\n\n".join(parts) + "\n"


def facts(grid: Grid) -> list[tuple[str, str]]:
    """What the numbers rest on, as (name, text), without those that have nothing to say."""
    done = [r for r in grid.records if r.get("status") == "done"]
    n = grid.counts()
    others = {"skipped": n["skipped"], "failed": n["failed"], "not run": grid.units - n.total()}
    units = ", ".join(filter(None, (f"{n['done']} of {grid.units} units done", listed(others))))
    origin = [r.get("provenance") or {} for r in done]
    rows = [
        ("scale", wording.scale_words(grid.scale, grid.tasks)),
        ("records", units + (f"; {grid.unused} of other units left out" if grid.unused else "")),
        ("gaps", "; ".join(wording.gaps(grid, grid.tasks, grid.labels)) or "none"),
        ("restricted to", restrictions(grid, grid.tasks)),
        ("backbone", _list(_backbone(r) for r in done)),
        ("preprocess", _preprocess(done, grid)),
        (
            "splits",
            _list(f"{task_title(r['task'])} {str(r.get('split_sha256'))[:10]}" for r in done),
        ),
        ("selection", _list(str(r.get("selection")) for r in done)),
        ("commit", _list(_commit(p) for p in origin)),
        ("dates (UTC)", _range([str(p["utc"])[:10] for p in origin if p.get("utc")])),
        ("device", _devices(done)),
        ("computing time", f"{_seconds(done) / 60:.1f} minutes, summed over units"),
    ]
    return [(name, text) for name, text in rows if text]


def listed(counts: Mapping[str, int]) -> str:
    """`2 skipped, 1 failed`: those that are not zero; "" where all are."""
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _seconds(done: list[dict]) -> float:
    """All units' seconds; a stage that several records state because they share it counts once."""
    times = [(r, r.get("seconds") or {}) for r in done]
    stages = {("base", r["label"], s["base"]) for r, s in times if s.get("base")}
    stages |= {("shared", r.get("seed"), s["shared"]) for r, s in times if s.get("shared")}
    own = sum(s.get(name) or 0 for _, s in times for name in ("fit", "predict", "oracle"))
    return own + sum(seconds for *_, seconds in stages)


def _backbone(record: dict) -> str:
    weights = record.get("weights_sha256")
    return str(record.get("backbone")) + (f" (weights {weights[:10]})" if weights else "")


def _preprocess(done: list[dict], grid: Grid) -> str:
    """`clip`, or `clip (CoOp); square-raw (HP-DVAL)` where it is not one for all."""
    labels: dict[str, dict[str, None]] = {}
    for record in done:
        labels.setdefault(preprocess(record), {})[grid.title(record["label"])] = None
    if len(labels) < 2:
        return _list(labels)
    return "; ".join(f"{name} ({', '.join(found)})" for name, found in labels.items())


def _commit(provenance: dict) -> str:
    edits = " + edits" if provenance.get("dirty") else ""
    return (provenance.get("commit") or "unknown")[:10] + edits


def _devices(done: list[dict]) -> str:
    """What the units were computed on, and which tasks' tables mix several."""
    found: dict[str, dict[str, None]] = {}  # task -> devices
    for record in done:
        if device := (record.get("provenance") or {}).get("device"):
            found.setdefault(record["task"], {})[str(device)] = None
    text = _list(device for devices in found.values() for device in devices)
    mixed = [task_title(task) for task, devices in found.items() if len(devices) > 1]
    note = f"; mixed in {_list(mixed)}: only equal hardware is promised the same bits"
    return text + (note if mixed else "")


def _list(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(texts)) or "none"


def _range(dates: list[str]) -> str:
    return " to ".join(sorted({min(dates), max(dates)})) if dates else "unknown"
