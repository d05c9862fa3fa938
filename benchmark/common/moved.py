"""Old names of modules and commands, which say where their content is now; for one version.

Installed by `benchmark/__init__.py` as the last finder of imports: asked only for names that there
are not. Goes, with that line and its test, in the next version.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

MODULES = {  # below benchmark, both sides
    "augmentation": "data.augmentation",
    "backbones": "clip.resolve",
    "captions": "data.captions",
    "check": "diagnostics.check",
    "datasets": "data.annotations",
    "draws": "method.batches",
    "errors": "common.errors",
    "features": "clip.feature_cache",
    "generators": "common.seeding",
    "loader": "data.image_loader",
    "losses": "method.losses",
    "nouns": "data.caption_labels",
    "packing": "clip.packing",
    "parity": "diagnostics.parity",
    "positions": "clip.position_embedding",
    "precision": "method.precision",
    "preprocessing": "data.preprocessing",
    "prompts": "clip.prompts",
    "speed": "diagnostics.speed",
    "splits": "data.splits",
    "states": "runner.checkpoints",
    "tasks": "data.tasks, for image lists benchmark.data.images",
    "texts": "clip.caption_features",
    "training": "method.training",
    "transfer": "common.device",
    "vit": "clip.vit",
    "weights": "clip.weights",
    "zoo": "clip.pretrained",
}
COMMANDS = {name: name for name in ("check", "parity", "speed", "splits")} | {
    "datasets": "data-root",
    "published.__main__": "published",  # the package itself is still there
}
SAY = "import sys; print({line!r}, file=sys.stderr); sys.exit(2)"


class MovedFinder:
    """Finder and loader of the old names: an import raises ImportError, `python -m` exits with 2.

    One line each: what the module is called now, or what to type.
    """

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """A spec for an old name below `benchmark`; None for all others."""
        package, _, old = name.partition(".")
        known = package == "benchmark" and (old in MODULES or old in COMMANDS)
        return ModuleSpec(name, cls, origin="moved") if known else None

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        """An ordinary module, which is never filled."""

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Of an import: ImportError, which discovery shows beside the plugin's file name."""
        old = module.__name__.partition(".")[2]
        raise ImportError(f"benchmark.{old} is now benchmark.{MODULES.get(old, old)}")

    @staticmethod
    def get_code(name: str) -> CodeType:
        """Of `python -m`: a program that says what to type now. ImportError for other modules."""
        old = name.partition(".")[2]
        if old not in COMMANDS:
            raise ImportError(f"{name} is now benchmark.{MODULES[old]}")
        typed = f"python -m benchmark.{old.removesuffix('.__main__')}"
        line = f"error: {typed} is now: python -m benchmark {COMMANDS[old]}"
        return compile(SAY.format(line=line), "moved", "exec")


def install() -> None:
    """Put the finder behind all others, once a process."""
    if MovedFinder not in sys.meta_path:
        sys.meta_path.append(MovedFinder)
