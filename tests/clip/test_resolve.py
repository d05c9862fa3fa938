"""benchmark/clip/resolve.py, pretrained.py: what is resolved, what is refused, and how."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from benchmark.clip import pretrained, resolve
from benchmark.common import environment, identity
from benchmark.common.errors import InputError
from tests.helpers import toy_models

ROOT = environment.ROOT
VIT = "timm/vit_base_patch32_clip_224.openai"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty hub cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put(hub: Path, repository: str, name: str = "open_clip_model.safetensors") -> Path:
    """A file in the cache, laid out as the hub's client does."""
    place = hub / f"models--{repository.replace('/', '--')}"
    for folder in ("refs", "snapshots/abc"):
        (place / folder).mkdir(parents=True)
    (place / "refs" / "main").write_text("abc")
    path = place / "snapshots" / "abc" / name
    path.write_bytes(b"not opened by a look")
    return path


@pytest.mark.parametrize(
    "spec, part",
    [
        ("ViT-B-16", "expected NAME:TAG"),
        (":openai", "expected NAME:TAG"),
        ("ViTB16:openai", "did you mean 'ViT-B-16'"),
        ("ViT-B-16:openaii", "did you mean 'openai'"),
        ("ViT-B-16:/nowhere/x.pt", "no such weights file"),
        ("ViT-B-16:x.safetensors", "no such weights file"),
        ("local-dir:/nowhere", "open_clip_config.json is missing"),
        ("xlm-roberta-base-ViT-B-32:random", "text tower"),
        ("coca_ViT-B-32:random", "text tower"),
        ("ViT-B-16-SigLIP:webli", "text tower"),
    ],
)
def test_bad_spec(spec, part):
    assert part in toy_models.refused(spec)


@pytest.mark.parametrize(
    "spec, right",
    [
        ("ViT-B-16:openai", "ViT-B-16-quickgelu:openai"),
        ("RN50:openai", "RN50-quickgelu:openai"),
        ("ViT-B-32:laion400m_e32", "ViT-B-32-quickgelu:laion400m_e32"),
        ("ViT-B-16-quickgelu:laion2b_s34b_b88k", "ViT-B-16:laion2b_s34b_b88k"),
    ],
)
def test_weights_of_the_other_activation_are_refused_with_the_right_name(spec, right, hub):
    assert toy_models.refused(spec).endswith(f"use {right}")
    assert "QuickGELU" in toy_models.refused(spec, download=False)


def test_every_published_pair_resolves_or_names_one_that_does(monkeypatch, tmp_path):
    file = tmp_path / "w.safetensors"
    file.write_bytes(b"")
    monkeypatch.setattr(pretrained, "cached", lambda entry: file)
    pairs = [
        (m, t) for m in pretrained.models() if resolve._usable(m) for t in pretrained.weights(m)
    ]
    assert len(pairs) > 80
    advised = 0
    for model, tag in pairs:
        try:
            found = resolve.resolve(f"{model}:{tag}", "paper")
        except InputError as error:
            right = re.search(r"use (\S+:\S+)$", str(error)).group(1)
            found = resolve.resolve(right, "paper")
            advised += 1
        trained = bool(pretrained.weights(found.model)[tag].get("quick_gelu"))
        assert bool(pretrained.models()[found.model].get("quick_gelu")) == trained
    assert advised > 20


def test_published_weights_come_from_the_hub_cache(hub):
    spec = "ViT-B-32-quickgelu:openai"
    line = toy_models.refused(spec, download=False)
    assert "without --status" in line and VIT in line and "open_clip_model.safetensors" in line
    path = put(hub, VIT)
    found = resolve.resolve(spec, "paper", download=False)
    assert (found.name, found.model) == (spec, "ViT-B-32-quickgelu")
    assert found.weights == path and found.weights_sha256 == identity.sha256(path)
    assert found.mean == pretrained.weights("ViT-B-32")["openai"]["mean"]


def test_a_file_of_the_hub_cache_is_known_by_its_repository(hub):
    path = put(hub, VIT)
    assert toy_models.refused(f"ViT-B-32:{path}").endswith(f"use ViT-B-32-quickgelu:{path}")
    assert resolve.resolve(f"ViT-B-32-quickgelu:{path}", "paper", download=False).weights == path


def test_without_a_network_the_client_is_not_even_asked(hub, monkeypatch):
    import huggingface_hub

    class Session:
        def head(self, url, timeout):
            raise ConnectionError(f"{url} {timeout}")

    monkeypatch.setattr(huggingface_hub.utils, "get_session", Session)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *a, **b: pytest.fail("asked"))
    line = toy_models.refused("ViT-B-32-quickgelu:openai")
    assert "out of reach (ConnectionError)" in line
    assert f"hf download {VIT} open_clip_model.safetensors" in line
    assert "pass ViT-B-32-quickgelu:/path/to/it" in line


def test_a_missing_safe_file_falls_back_to_the_other(hub, monkeypatch, tmp_path, caplog, recwarn):
    import huggingface_hub

    asked = []
    client = logging.getLogger("huggingface_hub.utils._http")

    def answer(repository, name, etag_timeout):
        asked.append(name)
        client.warning("retrying")
        warnings.warn("unauthenticated", stacklevel=1)
        if name.endswith(".safetensors"):
            raise huggingface_hub.errors.EntryNotFoundError("404")
        return str(tmp_path / name)

    class Session:
        def head(self, url, timeout):
            assert VIT in url

    (tmp_path / "open_clip_pytorch_model.bin").write_bytes(b"x")
    monkeypatch.setattr(huggingface_hub.utils, "get_session", Session)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", answer)
    found = resolve.resolve("ViT-B-32-quickgelu:openai", "paper")
    assert found.weights.name == "open_clip_pytorch_model.bin" and len(asked) == 2
    assert not caplog.records and not recwarn.list  # the client's noise
    client.warning("heard again")
    assert caplog.messages == ["heard again"]


def process(code: str, **environment) -> subprocess.CompletedProcess:
    """Python code in a process of its own, with the hub at a port where nobody listens."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HF_ENDPOINT": "http://127.0.0.1:9", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_real_client_without_a_network_says_one_line(tmp_path):
    done = process(
        "from benchmark.cli.parser import guarded\nfrom benchmark.clip.resolve import resolve\n"
        "raise SystemExit(guarded(lambda: resolve(None, 'paper') and 0))",
        HF_HOME=str(tmp_path),
    )
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "ViT-B-16-quickgelu:openai: no weights: the hub is out of reach" in done.stderr


def test_a_look_at_published_weights_needs_no_torch(tmp_path):
    put(tmp_path / "hub", VIT)
    done = process(
        "import sys\nfrom benchmark.clip import resolve\n"
        "print(resolve.resolve('ViT-B-32-quickgelu:openai', 'paper', download=False).name)\n"
        "print([name for name in ('torch', 'open_clip') if name in sys.modules])",
        HF_HOME=str(tmp_path),
    )
    assert done.stdout == "ViT-B-32-quickgelu:openai\n[]\n", done.stderr


def test_the_table_is_open_clips_own():
    import open_clip

    toys = {toy_models.PLAIN, toy_models.QUICK, toy_models.RESNET}
    assert set(pretrained.models()) == set(open_clip.list_models()) - toys
    assert pretrained.models()["RN50"] == open_clip.get_model_config("RN50")
    ours = [(model, tag) for model in pretrained.models() for tag in pretrained.weights(model)]
    assert sorted(ours) == sorted(open_clip.list_pretrained())
    assert len(pretrained.openai()) == 9
    assert all(name.endswith("-quickgelu") for name in pretrained.openai().values())


def test_random_weights_have_an_identity_of_their_own():
    found = resolve.resolve("ViT-B-32:random", "miniature")
    assert found == resolve.resolve("ViT-B-32:random", "paper", download=False)
    assert found.weights is None and found.name == "ViT-B-32:random"
    assert len(found.weights_sha256) == 64
    assert found.weights_sha256 != resolve.resolve("RN50:random", "paper").weights_sha256


def test_the_miniature_is_the_default_of_its_scale():
    found = resolve.resolve(None, "miniature")
    assert found.name == "miniature-clip" and found.weights.is_file()
    assert resolve.resolve(f"local-dir:{resolve.MINIATURE}", "paper") == found


def test_a_folder_with_a_broken_configuration(tmp_path):
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"")
    config = tmp_path / "open_clip_config.json"
    for text in ("{", "{}", "[]", '{"model_cfg": {"embed_dim": 3}}', '{"model_cfg": null}'):
        config.write_text(text)
        assert str(config) in toy_models.refused(f"local-dir:{tmp_path}")
    good = '{"model_cfg": {"embed_dim": 3, "vision_cfg": {}, "text_cfg": {"nonsense": 1}}}'
    config.write_text(good)
    assert "open_clip_config.json" in toy_models.refused(f"local-dir:{tmp_path}")
