"""The methods' kept descriptions: read anew when any source file changes, however deep it lies."""

import pytest

from benchmark.common import environment
from benchmark.method import discovery, registry


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A small repository, files one, two and three levels down."""
    for name in ("baselines/a.py", "hpdval/b.py", "benchmark/c.py", "benchmark/method/losses/d.py"):
        path = tmp_path / "repository" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")
    monkeypatch.setattr(environment, "ROOT", tmp_path / "repository")
    monkeypatch.setenv("CIMLIC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "repository"


@pytest.mark.parametrize("name", ["baselines/a.py", "hpdval/b.py", "benchmark/method/losses/d.py"])
def test_a_change_of_any_source_changes_the_digest(tree, name):
    before = registry._sources()
    assert registry._sources() == before
    (tree / name).write_text("x = 2\n")
    changed = registry._sources()
    assert changed != before
    (tree / name).write_text("x = 1\n")
    assert registry._sources() == before
    (tree / name).with_name("more.py").write_text("")
    assert registry._sources() not in (before, changed)


def test_methods_are_imported_again_after_a_change_and_only_then(tree, monkeypatch):
    asked = []
    monkeypatch.setattr(discovery, "discover", lambda plugins: asked.append(1) or {})
    monkeypatch.setattr(registry, "entry_points", lambda group: ())
    for _ in range(2):
        assert registry.methods() == {}
    assert len(asked) == 1
    (tree / "benchmark/method/losses/d.py").write_text("x = 2\n")
    registry.methods()
    assert len(asked) == 2


def test_a_damaged_file_of_cards_counts_as_absent(tree, monkeypatch):
    asked = []
    card = registry.MethodInfo("mine", 1, True, {"lr": 0.1})
    monkeypatch.setattr(discovery, "discover", lambda plugins: asked.append(1) or {"mine": None})
    monkeypatch.setattr(registry, "info", lambda name, cls: card)
    monkeypatch.setattr(registry, "entry_points", lambda group: ())
    assert registry.methods() == {"mine": card} == registry.methods() and len(asked) == 1
    (stored,) = (tree.parent / "cache" / "methods").iterdir()
    content = stored.read_bytes()
    cards = content.partition(b"\n")[2]
    typed = cards.replace(b'"version": 1', b'"version": "1"')
    damages = (b"", b"{}", b"null", cards, b"[" * 9999, content[:-9], content + b" ", b"\xff\xfe")
    for count, damaged in enumerate((*damages, typed, content.replace(cards, typed)), 2):
        stored.unlink()
        stored.write_bytes(damaged)
        for _ in range(2):
            assert registry.methods() == {"mine": card}
        assert len(asked) == count and stored.read_bytes() == content
