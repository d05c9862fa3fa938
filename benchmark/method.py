"""Method, the plugin base class; Run, what the harness hands to it; and how methods are found."""

from __future__ import annotations

import abc
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from benchmark.errors import InputError
from benchmark.units import seed_of

if TYPE_CHECKING:  # --help, --list and --status come this way: no torch
    import numpy as np
    from torch import Tensor

    from benchmark.clip import Clip
    from benchmark.features import FeatureStore
    from benchmark.preprocessing import Preprocessing
    from benchmark.tasks import ImageList, LabelledImages, Task

    Tensors = Callable[[], dict[str, Tensor]]  # what computes a state

_ROOT = Path(__file__).parent.parent
_FOLDERS = ("baselines", "hpdval")
ENTRY_POINTS = "cimlic.methods"


class Method(abc.ABC):
    """One method, one class, one file. `__init__` takes keyword hyperparameters and stores them.

    name           how suites, tables and records call it
    version        raise it when results change: part of a unit's identity
    scores         what `predict` returns: "logits" (CLIP-type; `map_softmax` is recorded too),
                   "probabilities" (CF1 and OF1 at 0.5 are recorded too) or "raw"
    deterministic  nothing is random, nothing is learned from an episode: one unit stands for all
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    scores: ClassVar[str] = "raw"
    deterministic: ClassVar[bool] = False

    def skip(self, task: Task) -> str | None:
        """A reason to refuse a task, shown in the table; None to take it."""
        return None

    def fit_base(self, base: LabelledImages, run: Run) -> None:  # noqa: B027, optional
        """Few-shot only: learn from the base classes what every episode starts from.

        Override `state` and `load_state` with it. Its classes are not those of `fit`.
        """

    def state(self) -> dict[str, Tensor]:
        """What `fit_base` learned, as tensors by name."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:  # noqa: B027, optional
        """Start from what `state` returned."""

    @abc.abstractmethod
    def fit(self, train: LabelledImages, run: Run) -> None:
        """Learn from N training images and their labels (N, C). Sees no test data."""

    @abc.abstractmethod
    def predict(self, images: ImageList, run: Run) -> Tensor:
        """Scores (N, C), floating point, higher meaning more likely."""


class Run:
    """What one unit gets from the harness: CLIP, cached features, a device, seeds by purpose.

    `curve` collects {"stage", "epoch", "loss"} of the training loop for the record. With --oracle
    the harness listens in `after_epoch`, which the training loop calls with stage and epoch.
    `keep` is where the harness keeps stages that units share, see `shared`; None without one.
    """

    def __init__(self, *, clip: Clip, store: FeatureStore, device: str, identity: str) -> None:
        self.clip, self.store, self.device, self.identity = clip, store, device, identity
        self.curve: list[dict[str, Any]] = []
        self.after_epoch: Callable[[str, int], None] | None = None
        self.keep: Callable[[Mapping[str, Any], Tensors], dict[str, Tensor]] | None = None

    def seed(self, purpose: str) -> int:
        """A seed that depends on the unit (not on its method) and the purpose alone."""
        return seed_of(self.identity, purpose)

    def generator(self, purpose: str) -> Any:
        """A torch.Generator on the CPU, seeded for the purpose."""
        import torch

        return torch.Generator().manual_seed(self.seed(purpose))

    def features(self, images: ImageList, kind: str = "global") -> np.ndarray:
        """Frozen CLIP features, not normalised: (N, D), or (N, L, D) for the kinds of local ones.

        Those are "tokens", "value" and "regions": see `clip.image_views`.
        """
        return self.store.features(images, kind)

    def pixels(self, images: ImageList) -> np.ndarray:
        """Pictures of the model's size, (N, 3, S, S) uint8; `normalise` makes them its input."""
        return self.store.pixels(images)

    @property
    def preprocess(self) -> Preprocessing:
        """How pictures are resized and normalised: the unit's choice, not the method's."""
        return self.store.preprocess

    def normalise(self, pixels: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) uint8 to the image tower's input, float32 on the device."""
        return self.store.normalise(pixels)

    def training_features(
        self, images: ImageList, kind: str = "global", augment: str = "none", views: int = 1
    ) -> Callable[[Tensor], Tensor]:
        """For frozen encoders: a function from indices (B,) to float32 features on the device.

        `augment` is a name of `augmentation.parse`; the features of that many random views of each
        image are computed once, and its n-th draw takes view n mod `views`.
        """
        from benchmark import draws

        return draws.Features(self.store, images, kind, augment, views)

    def training_pixels(
        self, images: ImageList, augment: str = "none"
    ) -> Callable[[Tensor], Tensor]:
        """For trained encoders: a function from indices (B,) to pictures (B, 3, S, S) uint8.

        With an augmentation each draw of an image is a new random view, read while training.
        """
        from benchmark import draws

        return draws.Pixels(self.store, images, augment, self.seed("augment"))

    def shared(
        self, what: Mapping[str, Any], build: Tensors, last: bool = False
    ) -> dict[str, Tensor]:
        """The tensors that `build()` returns, for `load_state_dict`: a stage that units share.

        Units that differ only in what comes after the stage ask for the same: the first one
        builds it, the others read it from the cache, bit for bit. `what` holds, as plain values,
        all settings that the stage depends on; the harness adds the method and its version, the
        training images and labels, seeds, CLIP, preprocessing and scale. Let `fit` call it before
        other work: while another process is building, states.Busy ends `fit`, which must let it
        pass, and the unit comes again later. Global generators start the stage from a seed of
        their own and go on afterwards as if it had not been; `after_epoch` does not see it, unless
        it is the `last` stage of the unit: with --oracle that one is built by each unit itself.
        """
        seen = last and self.after_epoch is not None
        if self.keep is None or seen:
            return self._apart(build, seen)
        return self.keep(what, lambda: self._apart(build))

    def _apart(self, build: Tensors, seen: bool = False) -> dict[str, Tensor]:
        from benchmark import generators

        watcher, self.after_epoch = self.after_epoch, self.after_epoch if seen else None
        try:
            with generators.aside(self.seed("shared"), self.device):
                return build()
        finally:
            self.after_epoch = watcher


def hyperparameters(cls: type[Method]) -> dict[str, Any]:
    """Names and defaults of `__init__`; where it takes **others, those of the base class follow.

    InputError if one has no default.
    """
    found: dict[str, Any] = {}
    for owner in cls.__mro__:
        if "__init__" not in vars(owner) or owner is object:
            continue
        others = False
        for parameter in list(inspect.signature(owner.__init__).parameters.values())[1:]:
            if parameter.kind is parameter.VAR_KEYWORD:
                others = True
            elif parameter.default is parameter.empty:
                raise InputError(
                    f"{inspect.getfile(cls)}: {owner.__name__}.__init__: "
                    f"{parameter.name} needs a default"
                )
            else:
                found.setdefault(parameter.name, parameter.default)
        if not others:
            break
    return found


def discover(plugins: list[Path] | None = None) -> dict[str, type[Method]]:
    """Name -> class of every method in baselines/, hpdval/, installed packages and plugin files.

    InputError names a file that does not import, holds no method, or takes a name that is taken.
    """
    found: dict[str, type[Method]] = {}
    for source, module in _modules(plugins or []):
        classes = [c for c in vars(module).values() if _is_method(c, module)]
        if not classes and source in map(str, plugins or []):
            raise InputError(f"{source}: defines no Method; see the README's example")
        for cls in classes:
            if not isinstance(getattr(cls, "name", None), str):
                raise InputError(f"{source}: {cls.__name__}: 'name' is missing; give it a string")
            other = found.setdefault(cls.name, cls)
            if other is not cls:
                raise InputError(
                    f"{source}: {cls.__name__}: the name '{cls.name}' is taken by "
                    f"{inspect.getfile(other)}; choose another"
                )
    return found


def _is_method(value: Any, module: ModuleType) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, Method)
        and not inspect.isabstract(value)
        and value.__module__ == module.__name__
    )


def _modules(plugins: list[Path]) -> Iterator[tuple[str, ModuleType]]:
    for folder in _FOLDERS:
        for path in sorted((_ROOT / folder).glob("*.py")):
            if path.stem != "__init__":
                name = f"{folder}.{path.stem}"
                yield str(path), _guarded(str(path), lambda n=name: importlib.import_module(n))
    for point in entry_points(group=ENTRY_POINTS):
        cls = _guarded(f"entry point {point.name}", point.load)
        yield f"entry point {point.name}", sys.modules[cls.__module__]
    for path in plugins:
        yield str(path), _guarded(str(path), lambda p=path: _load_file(p))


def _load_file(path: Path) -> ModuleType:
    name = f"cimlic_plugin_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:10]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _guarded(source: str, load: Any) -> Any:
    try:
        return load()
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else ""
        raise InputError(
            f"{source}: does not import ({type(error).__name__}: {reason}); mend the file"
        ) from error
