"""The methods against their authors' numbers, and the command that compares them."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmark.cli.parity import main
from benchmark.common import environment
from benchmark.diagnostics.parity import compare
from benchmark.diagnostics.parity.vectors import Vectors

DATA = environment.ROOT / "tests" / "parity_vectors"
INPUTS = {
    "losses": {"x", "y", "class_count", "num_train"},
    "vit_coop_zeroshot": {"image"}
    | {f"coop.{kind}.{name}" for kind in ("shared", "csc") for name in ("ctx", "labels")},
    "rn_dualcoop": {"image", "labels", "ctx_pos", "ctx_neg"},
    "vit_hpdval_released": {
        "image", "labels", "ctx_global", "ctx_local", "class_count", "num_train"
    },
    "lmclip": {
        "sampling.labels", "sampling.label_order", "bal.x", "bal.y", "clip.image", "clip.text",
        "clip.scale", "io.images", "io.image_index", "io.labels",
    },
    "cprfl": {"io.feature_maps", "io.text_features", "io.labels", "asl.x", "asl.y"},
}  # fmt: skip
WHOLE_KEYS = ("losses", "lmclip", "cprfl")  # files whose inputs are named above as they are
ITEMS = 131


def copied(folder):
    """A copy of the vectors that a test may damage."""
    return Path(shutil.copytree(DATA, folder / "vectors"))


def change(folder, stem, edit):
    """Rewrite one file after edit(tensors)."""
    path = folder / f"{stem}.safetensors"
    tensors = load_file(path)
    edit(tensors)
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)


def change_meta(folder, **values):
    path = folder / "meta.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def only(monkeypatch):
    """Restricts the command to some files, to save time."""

    def restrict(*stems):
        kept = {name: f for name, f in compare.FILES.items() if name.split(".")[0] in stems}
        monkeypatch.setattr(compare, "FILES", kept)

    return restrict


@pytest.mark.parametrize("name", [path.name for path in sorted(DATA.glob("*.safetensors"))])
def test_every_output_is_compared_and_equal(name):
    vectors = Vectors(DATA, name)
    found = list(compare.items(vectors))
    assert {item.name: item.error for item in found if not item.error <= 2e-5} == {}
    known = {"w", "io.token_rows"} - ({"w"} if name.startswith("losses") else set())
    prefix = "" if name.startswith(WHOLE_KEYS) else "io."
    inputs = {f"{prefix}{key}" for key in INPUTS[Path(name).stem]}
    outputs = {
        key
        for key in vectors.tensors
        if key not in inputs and not any(key.startswith(f"{start}.") for start in known)
    }
    assert {item.key for item in found} == outputs
    assert len({item.name for item in found}) == len(found)
    assert vectors.unread == set()


def test_the_command_prints_a_line_for_each_item(capsys):
    assert main([str(DATA)]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == "" and sum(line.endswith("  ok") for line in lines) == ITEMS
    assert [line for line in lines if not line.startswith(" ")][:-1] == list(compare.FILES)
    assert lines[-1].startswith(f"{ITEMS} items, largest relative error")
    assert lines[-1].endswith("none beyond the tolerance 0.0001")


@pytest.mark.parametrize(
    "stem, key, item",
    [
        ("losses", "db.voc.focal1.grad", "DB loss voc.focal1: gradient"),
        ("vit_coop_zeroshot", "io.coop.csc.logits", "CoOp csc: logits"),
        ("rn_dualcoop", "io.local_features_B_D_L", "local features"),
        ("vit_hpdval_released", "io.patch_features", "patch features"),
        ("lmclip", "bal.main.grad", "balanced loss main, gradient"),
    ],
)
def test_one_tampered_value_is_found_and_no_other_item_blamed(
    stem, key, item, tmp_path, capsys, only
):
    folder = copied(tmp_path)
    only(stem)

    def tamper(tensors):
        tensors[key].view(-1)[7] += 3e-4 * tensors[key].abs().max()

    change(folder, stem, tamper)
    assert main([str(folder)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[1] for line in out if line.endswith("EXCEEDS")] == [item]
    assert "1 beyond the tolerance" in out[-1]


def test_the_tolerance_is_the_callers(only, tmp_path, capsys):
    only("losses")
    assert main([str(DATA), "--tolerance", "1e-12"]) == 1
    assert "EXCEEDS" in capsys.readouterr().out
    folder = copied(tmp_path)
    change(folder, "losses", lambda tensors: tensors["db.coco.focal1.grad"].mul_(1.01))
    assert main([str(folder), "--tolerance", "0.02"]) == 0
    assert main([str(folder), "--tolerance", "0.005"]) == 1


def test_the_error_of_an_item():
    def error(ours, theirs):
        return compare.Item("", "", torch.tensor(ours), torch.tensor(theirs)).error

    assert error([1.0, -4.0], [1.0, -4.0]) == 0
    assert error([1.0, 0.1], [1.0, 0.0]) == pytest.approx(0.1)
    assert error([1.0, -3.0], [1.0, -4.0]) == 0.25
    assert error([0.0], [0.0]) == 0 and error([1e-9], [0.0]) == math.inf
    for wrong in (math.nan, math.inf):
        assert error([1.0, wrong], [1.0, 1.0]) == error([1.0, 1.0], [1.0, wrong]) == math.inf
        assert error([wrong], [wrong]) == math.inf


def test_a_nan_exceeds_every_tolerance(tmp_path, capsys, only):
    folder = copied(tmp_path)
    only("losses")
    change(folder, "losses", lambda t: t["db.coco.focal0.grad"].view(-1)[:1].fill_(math.nan))
    assert main([str(folder), "--tolerance", "1e9"]) == 1
    assert capsys.readouterr().out.count("EXCEEDS") == 1


def another_set(folder, monkeypatch):
    """Vectors of other sizes and constants, with our own outputs.

    Two images, five classes, contexts of other lengths, DualCoOp's class-specific.
    """
    generator = torch.Generator().manual_seed(3)

    def draw(*shape):
        return 0.02 * torch.randn(*shape, generator=generator)

    def coop(t):
        t["io.coop.csc.ctx"], t["io.coop.shared.ctx"] = draw(5, 3, 64), draw(9, 64)
        for kind in ("shared", "csc"):
            t[f"io.coop.{kind}.labels"] = t[f"io.coop.{kind}.labels"][:2, 5:10]
            key = f"io.coop.{kind}.ctx_grad_of_bce_logits_over_"
            t[f"{key}2.5"] = t.pop(f"{key}10")
        t["io.image"] = t["io.image"][2:]

    def dualcoop(t):
        t["io.ctx_pos"], t["io.ctx_neg"] = draw(5, 2, 64), draw(5, 6, 64)
        t["io.labels"] = t["io.labels"][:, 5:10]
        t["io.asl_sum_gneg3_gpos0.5_clip0"] = t.pop("io.asl_sum_gneg2_gpos1_clip0.05")

    def hpdval(t):
        t["io.ctx_global"], t["io.ctx_local"] = draw(7, 64), draw(1, 64)
        t["io.labels"], t["io.image"] = t["io.labels"][:2, 5:10], t["io.image"][:2]
        t["io.class_count"], t["io.num_train"] = t["io.class_count"][5:10] + 3, torch.tensor(999)

    def loss_values(t):
        t["x"], t["y"], t["class_count"] = t["x"][:7, :6], t["y"][:7, :6], t["class_count"][:6]
        for name in ("loss", "grad"):
            key = "asl_sigmoid_sum.gneg{}_clip{}." + name
            t[key.format("1_gpos3", "0.2")] = t.pop(key.format("4_gpos0", "0.05"))

    edits = {
        "losses": loss_values,
        "vit_coop_zeroshot": coop,
        "rn_dualcoop": dualcoop,
        "vit_hpdval_released": hpdval,
    }
    names = json.loads((folder / "meta.json").read_text())["classnames"]
    change_meta(folder, classnames=names[5:10], alpha=0.8, top_k=3)
    with monkeypatch.context() as patch:
        patch.setattr(compare, "_item", lambda v, name, key, x: (key, x.detach().clone()))
        for stem, edit in edits.items():
            change(folder, stem, edit)
            ours = dict(compare.items(Vectors(folder, f"{stem}.safetensors")))
            change(folder, stem, lambda tensors, ours=ours: tensors.update(ours))


def test_sizes_and_constants_are_read_from_the_folder(tmp_path, monkeypatch, capsys, only):
    only("losses", "vit_coop_zeroshot", "rn_dualcoop", "vit_hpdval_released")
    folder = copied(tmp_path)
    another_set(folder, monkeypatch)
    assert main([str(folder)]) == 0, capsys.readouterr().out
    assert "52 items" in capsys.readouterr().out.splitlines()[-1]
    only("vit_hpdval_released")
    for key, value in (("alpha", 0.3), ("top_k", 4)):
        change_meta(folder, alpha=0.8, top_k=3)
        change_meta(folder, **{key: value})
        assert main([str(folder)]) == 1, f"{key} makes no difference"
        assert "EXCEEDS" in capsys.readouterr().out
    change(folder, "vit_hpdval_released", lambda t: t.update({"io.top_k": torch.tensor([3])}))
    assert main([str(folder)]) == 0, "the file's own k does not count before meta.json's"


def test_what_is_computed_in_float64_must_be_nearly_equal(tmp_path, capsys, only):
    folder = copied(tmp_path)
    only("lmclip")
    key = "sampling.voc_vit_s1.35.sample_weights"
    change(folder, "lmclip", lambda tensors: tensors[key].mul_(1 + 1e-11))
    assert main([str(folder)]) == 1
    (line,) = (x for x in capsys.readouterr().out.splitlines() if x.endswith("EXCEEDS"))
    assert "sample weights voc_vit_s1.35" in line


def test_a_key_that_is_not_known_is_named(tmp_path, capsys, only):
    folder = copied(tmp_path)
    only("losses")
    change(folder, "losses", lambda t: t.update({"db.nus.focal1.grad": torch.ones(3)}))
    assert main([str(folder)]) == 0
    assert "not compared, as not known: db.nus.focal1.grad" in capsys.readouterr().out


def refused(arguments, capsys):
    """The one line of a refusal."""
    assert main([str(argument) for argument in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and len(line) < 400
    return line


def test_a_folder_that_is_none_or_not_whole_is_refused(tmp_path, capsys):
    assert "no such folder" in refused([tmp_path / "nowhere"], capsys)
    assert f"{tmp_path / 'meta.json'}: missing" in refused([tmp_path], capsys)
    folder = copied(tmp_path)
    (folder / "rn_dualcoop.safetensors").unlink()
    assert "rn_dualcoop.safetensors: missing" in refused([folder], capsys)
    (folder / "rn_dualcoop.safetensors").write_bytes(b"no tensors")
    assert "rn_dualcoop.safetensors: cannot be read" in refused([folder], capsys)
    for text in ("[]", "{", '{"classnames": "dog"}', '{"classnames": []}'):
        (folder / "meta.json").write_text(text)
        assert "meta.json: " in refused([folder], capsys)


@pytest.mark.parametrize("arguments", [[], ["--tolerance", "x"], ["a", "b"]])
def test_a_wrong_flag_is_refused(arguments, capsys):
    assert "--help" in refused(arguments, capsys)


@pytest.mark.parametrize("tolerance", ["0", "-1", "nan", "inf"])
def test_a_tolerance_that_is_none_is_refused(tolerance, capsys):
    assert "--tolerance" in refused([DATA, f"--tolerance={tolerance}"], capsys)


@pytest.mark.parametrize(
    "stem, edit, expected",
    [
        ("losses", lambda t: t.pop("x"), "x: missing"),
        ("losses", lambda t: t.pop("db.voc.focal0.grad"), "db.voc.focal0.grad: missing"),
        ("losses", lambda t: t.update(y=t["y"][:, :3]), "y: shape (16, 3); expected (16, 20)"),
        (
            "losses",
            lambda t: t.update({"db.coco.focal1.mean_loss": torch.ones(2)}),
            "db.coco.focal1.mean_loss: shape (2,); expected one number",
        ),
        (
            "vit_coop_zeroshot",
            lambda t: t.update({"io.coop.csc.ctx": t["io.coop.csc.ctx"][:4]}),
            "io.coop.csc.ctx: shape (4, 16, 64); expected (12, M of io.coop.csc.ctx, 64)",
        ),
        (
            "vit_coop_zeroshot",
            lambda t: t.update({"io.coop.shared.ctx": torch.zeros(76, 64)}),
            "its tensors do not fit together",
        ),
        (
            "vit_coop_zeroshot",
            lambda t: t.update({"io.image": t["io.image"][..., :32]}),
            "io.image: shape (4, 3, 64, 32); expected (N, 3, 64, 64)",
        ),
        ("rn_dualcoop", lambda t: t.pop("w.visual.conv1.weight"), "w.*: not the weights of a CLIP"),
        ("rn_dualcoop", lambda t: t.pop("io.asl_sum_gneg2_gpos1_clip0.05"), "no such key"),
        (
            "rn_dualcoop",
            lambda t: t["io.token_rows.ids"].fill_(49408),
            "io.token_rows.ids: must be whole numbers from 0 to 49407",
        ),
    ],
)
def test_a_key_or_shape_that_is_wrong_is_named(stem, edit, expected, tmp_path, capsys, only):
    folder = copied(tmp_path)
    only(stem)
    change(folder, stem, edit)
    line = refused([folder], capsys)
    assert str(folder / stem) in line and expected in line


def test_numbers_and_class_names_that_do_not_fit_are_named(tmp_path, capsys, only):
    folder = copied(tmp_path)
    only("vit_hpdval_released")
    for values, expected in (
        ({"alpha": "half"}, "alpha: 'half' is not a number"),
        ({"top_k": 17}, "top_k: 17 must be a whole number from 1 to 16"),
        ({"top_k": 2.5}, "top_k: 2.5 must be"),
        ({"classnames": ["zebra"] * 12}, "lacks tokens of 'a photo of a zebra.'"),
        ({"classnames": ["dog"]}, "io.template_text_features: shape (12, 64); expected (1, 64)"),
    ):
        shutil.copy(DATA / "meta.json", folder)
        change_meta(folder, **values)
        assert expected in refused([folder], capsys)


def test_the_help_needs_no_torch():
    code = "import sys, benchmark.cli.parity as c; c.parser(); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
