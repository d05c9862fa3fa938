"""CPRFL's part of the parity command, on a file of our own: what it compares, what it finds out."""

import json
import re

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmark.cli.parity import main
from benchmark.diagnostics.parity import compare
from benchmark.diagnostics.parity.vectors import Vectors
from tests.helpers.plain_cprfl import CLASSES, SLIPS, asymmetric, example, plain

NAMES = ("zebra", "fire_hydrant", "tvmonitor", "hot dog")
FILE = "cprfl.safetensors"
THEIRS = {  # our names of modules, and the authors'
    "places": "fc.0",
    "prompts.0": "label_emb.0",
    "prompts.2": "label_emb.3",
    "norm_1": "0.norm",
    "qkv": "0.fn.to_qkv",
    "out": "0.fn.to_out.0",
    "norm_2": "1.norm",
    "up": "1.fn.net.0",
    "down": "1.fn.net.3",
}


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Restricts the command to the file in question."""
    monkeypatch.setattr(compare, "FILES", {FILE: compare.FILES[FILE]})


def their_name(ours):
    block = re.fullmatch(r"blocks\.(\d+)\.(\w+)\.(\w+)", ours)
    if block:
        return f"attention.layers.{block[1]}.{THEIRS[block[2]]}.{block[3]}"
    module, _, kind = ours.rpartition(".")
    return f"{THEIRS[module]}.{kind}"


def file(folder, slip=None, depth=1):
    """A folder with the tensors that the plain head gives, computed in float64."""
    head, maps, text, labels = example(seed=5, depth=depth)
    found = plain(head, maps, text, labels, slip)
    parameters = {their_name(name): value for name, value in head.named_parameters()}
    inputs = parameters | {"io.feature_maps": maps, "io.text_features": text}
    slopes = torch.autograd.grad(found["loss"], list(inputs.values()))
    x = 3 * torch.randn(5, CLASSES, generator=torch.Generator().manual_seed(1)).double()
    x, y = x.requires_grad_(), labels.repeat(2, 1)[:5]
    loss = asymmetric(x, y, slip)
    prompts = [f"a photo of a {name.replace('_', ' ')}." for name in NAMES]
    tensors = {f"w.{name}": value for name, value in parameters.items()}
    tensors |= {f"io.{name}": value for name, value in found.items()}
    tensors |= {f"grad.{name}": slope for name, slope in zip(inputs, slopes, strict=True)}
    tensors |= {"io.feature_maps": maps, "io.text_features": text, "io.labels": labels}
    tensors |= {
        "asl.x": x,
        "asl.y": y,
        "asl.loss": loss,
        "asl.grad": torch.autograd.grad(loss, x)[0],
    }
    tensors = {name: value.detach().float().contiguous() for name, value in tensors.items()}
    tensors["prompt_tokens"] = open_clip.get_tokenizer("RN50")(prompts)
    save_file(tensors, folder / FILE)
    (folder / "meta.json").write_text(json.dumps({"classnames": NAMES}))
    return folder


@pytest.mark.parametrize("depth", [1, 2])
def test_every_output_is_compared_and_equal(depth, tmp_path):
    vectors = Vectors(file(tmp_path, depth=depth), FILE)
    found = list(compare.items(vectors))
    assert {item.name: item.error for item in found if not item.error <= 2e-5} == {}
    inputs = {"io.feature_maps", "io.text_features", "io.labels", "asl.x", "asl.y"}
    weights = {key for key in vectors.tensors if key.startswith("w.")}
    assert {item.key for item in found} == set(vectors.tensors) - inputs - weights
    assert len({item.name for item in found}) == len(found) and vectors.unread == set()


@pytest.mark.parametrize("slip", SLIPS)
def test_numbers_with_a_slip_exceed_the_tolerance(slip, tmp_path, capsys):
    assert main([str(file(tmp_path, slip))]) == 1
    assert "EXCEEDS" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change, expected",
    [
        (lambda t: t.pop("io.tokens_out"), "io.tokens_out: missing"),
        (lambda t: t.pop("w.fc.0.bias"), "w.*: not the weights of a CPRFL"),
        (lambda t: t.update({"w.fc.1.bias": torch.ones(2)}), "w.*: not the weights of a CPRFL"),
        (lambda t: t.update({"io.score": torch.ones(3, 2)}), "io.score: shape (3, 2); expected"),
    ],
)
def test_a_file_with_a_fault_is_one_line(change, expected, tmp_path, capsys):
    tensors = load_file(file(tmp_path) / FILE)
    change(tensors)
    save_file(tensors, tmp_path / FILE)
    assert main([str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line and str(tmp_path / FILE) in line


def test_another_number_of_heads_is_another_head(tmp_path, capsys):
    (file(tmp_path) / "meta.json").write_text(json.dumps({"classnames": NAMES, "heads": 4}))
    assert main([str(tmp_path)]) == 1
    assert "EXCEEDS" in capsys.readouterr().out
    (tmp_path / "meta.json").write_text(json.dumps({"classnames": NAMES, "heads": 0}))
    assert main([str(tmp_path)]) == 2
    assert "not the weights of a CPRFL" in capsys.readouterr().err
