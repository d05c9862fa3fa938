"""A small file of published numbers, made up, in which all adds up."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from benchmark.published import reading

SMALL: dict[str, Any] = {
    "sources": {
        "here": {"status": "printed", "text": "made up"},
        "files": {"status": "logged", "text": "made-up logs"},
    },
    "groups": {"voc-lt": {"head": 1, "medium": 1, "tail": 2}},
    "notes": {"odd": "is odd"},
    "tables": {
        "main": {
            "paper": "Table I",
            "title": "Main",
            "source": "here",
            "columns": ["voc-lt total", "voc-lt head", "voc-lt medium", "voc-lt tail"],
            "rows": {
                "plain": {"printed": [55.0, 40.0, 60.0, 60.0], "labels": ["p"], "notes": ["odd"]},
                "ours": {"printed": [70.0, 50, 70.0, 80.0], "labels": ["o"]},
            },
        },
        "curve": {
            "paper": "Figure 1",
            "title": "Curve",
            "source": "here",
            "columns": ["voc-lt total"],
            "rows": {"x = 1": {"printed": [70.0]}, "x = 2": {"printed": [None]}},
        },
        "other": {
            "paper": "Their logs",
            "title": "Theirs",
            "source": "files",
            "columns": ["voc-lt total"],
            "chosen": "theirs",
            "rows": {"theirs": {"labels": ["t"]}, "variant": {}},
        },
    },
    "same": [["main/ours", "curve/x = 1"]],
    "runs": {
        "files": [
            {"log": "a", "task": "voc-lt", "values": {"total": 70.0}, "rows": ["main/ours"]},
            {
                "log": "b",
                "task": "voc-lt",
                "values": {"total": 60.0},
                "rows": ["other/theirs"],
                "epoch": 3,
                "last": 59.0,
                "curve": {1: 40.0, 3: 60.0, 4: 59.0},
            },
        ]
    },
    "sweeps": [
        {
            "setting": "x",
            "task": "voc-lt",
            "source": "files",
            "rows": {0.5: "other/theirs"},
            "totals": {0.5: 60.0, 1: 61.0},
        }
    ],
    "gains": [
        {
            "method": "Theirs",
            "source": "here",
            "row": "other/theirs",
            "over": "main/plain",
            "gains": {"voc-lt total": 5.0},
        }
    ],
    "claims": [
        {
            "claim": "ours is better",
            "table": "main",
            "row": "ours",
            "over": "best",
            "columns": ["total", "tail - head"],
            "stated": {"voc-lt total": 15.0},
        }
    ],
}


def written(folder: Path, *changes: tuple[tuple, Any]) -> Path:
    """A file with SMALL, changed: (path of keys, new value) each."""
    data = copy.deepcopy(SMALL)
    for keys, value in changes:
        part = data
        for key in keys[:-1]:
            part = part[key]
        part[keys[-1]] = value
    path = folder / "numbers.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    reading.load.cache_clear()
    return path
