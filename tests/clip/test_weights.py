"""benchmark/clip/weights.py: files of weights are read as tensors only, or refused in one line."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchmark.cli import parser
from benchmark.clip import pretrained, resolve, weights
from benchmark.common.errors import InputError
from tests.helpers import toy_models


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """The folder of the toy models, which the benchmark knows."""
    toy_models.install(tmp_path, monkeypatch.setattr)
    return tmp_path


def test_a_local_file_is_loaded_as_it_is(toys):
    path = toy_models.save(toys)
    found = resolve.resolve(f"{toy_models.PLAIN}:{path}", "paper")
    assert found.name == f"{toy_models.PLAIN}:toy.safetensors" and found.weights == path
    expected = toy_models.model().state_dict()
    loaded = weights.load(found).state_dict()
    assert all(torch.equal(loaded[name], expected[name]) for name in expected)


def test_a_training_checkpoint_is_loaded_too(toys):
    state = {
        f"module.{name}": tensor.half() for name, tensor in toy_models.model().state_dict().items()
    }
    torch.save({"epoch": 3, "state_dict": state}, toys / "epoch_3.pt")
    found = resolve.resolve(f"{toy_models.PLAIN}:{toys / 'epoch_3.pt'}", "paper")
    loaded = weights.load(found).state_dict()
    assert loaded["visual.proj"].dtype == torch.float32
    assert torch.equal(loaded["visual.proj"], state["module.visual.proj"].float())


def test_another_models_file_is_refused_before_the_run(toys):
    path = toy_models.save(toys)
    line = toy_models.refused(f"RN50:{path}")
    assert str(path) in line and "not weights of RN50" in line and "missing (first: visual." in line
    state = toy_models.model().state_dict()
    state["visual.proj"] = state["visual.proj"][:, :8]
    save_file({name: t.contiguous() for name, t in state.items()}, path)
    assert (
        "1 tensors of another shape (first: visual.proj (32, 8), needed (32, 16))"
        in toy_models.refused(f"{toy_models.PLAIN}:{path}")
    )


class Evil:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("name, legacy", [("a.pt", False), ("b.pth", True), ("c.bin", None)])
def test_no_file_gets_to_run_code(name, legacy, toys, capsys, monkeypatch):
    trap, path = toys / "trap", toys / name
    content = {"state_dict": toy_models.model().state_dict(), "extra": Evil(trap)}
    if legacy is None:
        path.write_bytes(pickle.dumps(Evil(trap)))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    spec = f"{toy_models.PLAIN}:{path}"
    assert parser.guarded(lambda: resolve.resolve(spec, "paper") and 0) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1
    assert err.startswith(f"error: weights file {path}: ") and "not read" in err
    with pytest.raises(InputError):
        weights.load(resolve.resolve(spec, "paper", download=False))
    assert not trap.exists()
    Evil(trap).__reduce__()[0](trap)  # the trap would have worked
    assert trap.exists()


def test_damaged_files_are_one_line(toys):
    path = toy_models.save(toys)
    path.write_bytes(path.read_bytes()[:1000])
    assert "cannot be read" in toy_models.refused(f"{toy_models.PLAIN}:{path}")
    torch.save(toy_models.model().state_dict(), toys / "cut.pt")
    (toys / "cut.pt").write_bytes((toys / "cut.pt").read_bytes()[:5000])
    assert str(toys / "cut.pt") in toy_models.refused(f"{toy_models.PLAIN}:{toys / 'cut.pt'}")
    torch.save([1, 2], toys / "list.pt")
    assert "not a state_dict" in toy_models.refused(f"{toy_models.PLAIN}:{toys / 'list.pt'}")
    (toys / "x.npz").write_bytes(b"")
    assert "expected .safetensors" in toy_models.refused(f"{toy_models.PLAIN}:{toys / 'x.npz'}")


def test_torchscript_is_a_program(tmp_path):
    path = tmp_path / "RN50.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), path)
    line = toy_models.refused(f"RN50:{path}")
    assert "TorchScript archive is a program" in line
    assert "timm/resnet50_clip.openai, as RN50-quickgelu:/path/to/it" in line


def test_openais_archive_is_known_by_its_hash(tmp_path, monkeypatch):
    (tmp_path / "renamed.pt").write_bytes(b"x")
    digest = next(key for key, name in pretrained.openai().items() if name == "ViT-B-16-quickgelu")
    monkeypatch.setattr(resolve, "sha256", lambda path: digest)
    for model in ("ViT-B-16", "ViT-B-32", "ViT-B-16-quickgelu"):
        line = toy_models.refused(f"{model}:{tmp_path / 'renamed.pt'}", download=False)
        assert "as ViT-B-16-quickgelu:/path/to/it" in line


def test_openais_weights_saved_again_need_quickgelu(toys):
    state = toy_models.model().state_dict()
    numbers = {"input_resolution": 64, "context_length": 77, "vocab_size": 49408}
    torch.save(state | {key: torch.tensor(n) for key, n in numbers.items()}, toys / "clip.pt")
    line = toy_models.refused(f"{toy_models.PLAIN}:{toys / 'clip.pt'}")
    assert line.endswith(f"use {toy_models.QUICK}:{toys / 'clip.pt'}")
    found = resolve.resolve(f"{toy_models.QUICK}:{toys / 'clip.pt'}", "paper")
    assert torch.equal(weights.load(found).visual.proj, state["visual.proj"])


def test_unreadable_weights():
    folder = Path(tempfile.mkdtemp())  # unlike tmp_path, a folder that others may enter
    locked, file = folder / "locked", folder / "w.safetensors"
    locked.mkdir()
    for path, mode in ((file, 0o000), (locked / "w.pt", 0o600), (locked, 0o000), (folder, 0o755)):
        path.touch()
        path.chmod(mode)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(65534)
        assert "cannot be read (Permission denied)" in toy_models.refused(f"ViT-B-32:{file}")
        assert "check path and permissions" in toy_models.refused(f"ViT-B-32:{locked / 'w.pt'}")
        assert "is missing" in toy_models.refused(f"local-dir:{locked}")
    finally:
        if root:
            os.seteuid(0)
        locked.chmod(0o700)
        shutil.rmtree(folder)
