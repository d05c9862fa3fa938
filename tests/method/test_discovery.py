"""Hyperparameters of dataclasses, of written-out `__init__`s, of presets and of shipped methods."""

import dataclasses
from dataclasses import dataclass

import pytest

from benchmark.common.errors import InputError
from benchmark.diagnostics.check import contract
from benchmark.diagnostics.check.findings import Wrong
from benchmark.method import Method
from benchmark.method.discovery import discover, hyperparameters


class Both(Method):
    """What both styles have in common."""

    name = "both"
    scores = "logits"

    def fit(self, train, run):
        pass

    def predict(self, images, run):
        pass


@dataclass(kw_only=True, eq=False)
class Fields(Both):
    """Annotated."""

    alpha: float = 0.5
    loss: str = "asl"
    base: bool = False
    sizes: tuple = (1, 2)


class Written(Both):
    """Written out."""

    def __init__(self, alpha: float = 0.5, loss: str = "asl", base: bool = False, sizes=(1, 2)):
        self.alpha, self.loss, self.base, self.sizes = alpha, loss, base, sizes


@dataclass(kw_only=True, eq=False)
class Preset(Fields):
    """Restates what differs."""

    name = "preset"
    base: bool = True


class WrittenPreset(Written):
    """The same, written out."""

    def __init__(self, base: bool = True, **others):
        super().__init__(base=base, **others)


@pytest.mark.parametrize("cls", [Fields, Written])
def test_both_styles_have_the_same_hyperparameters_and_pass_the_check(cls):
    expected = {"alpha": 0.5, "loss": "asl", "base": False, "sizes": (1, 2)}
    found = hyperparameters(cls)
    assert found == expected and list(found) == list(expected)
    assert [type(value) for value in found.values()] == [type(v) for v in expected.values()]
    assert contract.declared(cls).startswith("name both, version 1, scores logits")
    assert contract.hyperparameters(cls) == "4, stored as they are given"
    assert vars(cls(alpha=1.0)) == expected | {"alpha": 1.0}


@pytest.mark.parametrize("cls", [Preset, WrittenPreset])
def test_a_preset_states_what_differs_first_and_keeps_the_rest(cls):
    expected = {"base": True, "alpha": 0.5, "loss": "asl", "sizes": (1, 2)}
    assert list(hyperparameters(cls).items()) == list(expected.items())
    assert vars(cls()) == expected and vars(cls(base=False)) == expected | {"base": False}


def test_a_preset_that_is_not_decorated_is_refused():
    """Its default would be seen by a reader and by nobody else."""

    class Silent(Fields):
        name = "silent"
        alpha: float = 0.9

    assert Silent().alpha == 0.5
    with pytest.raises(InputError, match="Silent.alpha: its base class's default stays") as caught:
        hyperparameters(Silent)
    assert "\n" not in str(caught.value)

    class Heir(Fields):
        name = "heir"
        version = 2

    assert hyperparameters(Heir) == hyperparameters(Fields)


def test_a_dataclass_without_a_docstring_is_told_so():
    @dataclass(kw_only=True, eq=False)
    class Silent(Both):
        alpha: float = 0.5

    assert Silent.__doc__.startswith("Silent(")
    with pytest.raises(Wrong, match="no docstring"):
        contract.declared(Silent)


def test_every_shipped_method_is_a_dataclass_of_its_hyperparameters_alone():
    declared = {"name", "version", "scores", "deterministic"}
    for name, cls in discover().items():
        fields = {field.name for field in dataclasses.fields(cls)}
        assert fields == hyperparameters(cls).keys() and not fields & declared, name
        assert vars(cls()) == hyperparameters(cls), name
