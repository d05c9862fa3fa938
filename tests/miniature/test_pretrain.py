"""Pretraining of the miniature CLIP: steps learn, checkpoints resume, the export is the model."""

import shutil

import numpy as np
import pytest
import torch

from benchmark.clip import resolve
from benchmark.clip.model import load
from benchmark.miniature import captions, concepts, pretrain, pretraining_pairs, scenes


@pytest.fixture(scope="module")
def pairs():
    """A few captioned noise pictures, in the form that web.render gives."""
    import open_clip

    rng = np.random.default_rng(0)
    names = list(concepts.load())
    tokenize = open_clip.SimpleTokenizer(context_length=pretraining_pairs.LENGTH)
    texts = [
        captions.write(list(rng.choice(names, 2)), rng)
        for _ in range(32 * pretraining_pairs.CAPTIONS)
    ]
    tokens = (
        tokenize(texts).numpy().reshape(32, pretraining_pairs.CAPTIONS, pretraining_pairs.LENGTH)
    )
    pictures = rng.integers(0, 255, (32, scenes.SIDE, scenes.SIDE, 3), dtype=np.uint8)
    return pretraining_pairs.Pairs(pictures, tokens)


def trainer(pairs, folder, steps):
    flags = ["--work", folder, "--out", folder, "--steps", steps, "--batch", 8, "--device", "cpu"]
    options = pretrain._parse([str(flag) for flag in flags])
    torch.manual_seed(0)
    model, vocabulary, fillers = pretrain._build(pairs, seed=0)
    made = pretrain.Trainer(model, vocabulary, fillers, pairs, options)
    return made, vocabulary


def test_a_resumed_run_is_the_straight_run(pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(pretrain, "_Probe", lambda: lambda trainer: "")
    straight, _ = trainer(pairs, tmp_path, 4)
    for step in range(4):
        if step == 2:
            straight._save(tmp_path / "checkpoint.pt")
        assert np.isfinite(straight._train_step())
        straight.step += 1
    resumed, _ = trainer(pairs, tmp_path, 4)
    resumed.run()
    for name, value in straight.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_the_export_is_an_open_clip_model_of_the_same_features(pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(pretrain, "_Probe", lambda: lambda trainer: "")
    made, vocabulary = trainer(pairs, tmp_path, 2)
    pretrain.export(made.model, vocabulary, tmp_path)
    shutil.copy(pretrain.FOLDER / "open_clip_config.json", tmp_path)
    loaded = load(resolve.resolve(f"local-dir:{tmp_path}", "miniature"))
    ids = torch.from_numpy(pairs.tokens[:4, 0]).long()
    with torch.no_grad():
        ours = made.encode_text(torch.from_numpy(made.rows)[ids])
        theirs = loaded.model.encode_text(
            torch.nn.functional.pad(ids, (0, 77 - pretraining_pairs.LENGTH))
        )
    assert (ours - theirs).abs().max() < 5e-3 * ours.abs().max()  # stored as float16


def test_the_probe_measures_three_views():
    probe = pretrain._Probe(count=4)
    assert probe.labels.shape == (4, 80) and probe.labels.sum(1).min() >= 1


def test_fillers_stand_between_the_start_and_the_caption(pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(pretrain, "_Probe", lambda: lambda trainer: "")
    made, _ = trainer(pairs, tmp_path, 2)
    captions_ = made.tokens[:, 0].numpy()
    lengthened = made._with_fillers(captions_, np.random.default_rng(3))
    counts = []
    for caption, longer in zip(captions_, lengthened, strict=True):
        words = caption[: int((caption == made.end).argmax()) + 1]
        end = int((longer == made.end).argmax()) + 1
        counts.append(end - len(words))
        assert longer[0] == made.start and not longer[end:].any()
        assert (longer[1 + counts[-1] : end] == words[1:]).all()
        assert np.isin(longer[1 : 1 + counts[-1]], made.fillers).all()
    assert min(counts) == 0 and 0 < max(counts) <= 60
