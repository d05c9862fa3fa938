"""HP-DVAL's ImageNet student: what it sees, where its weights come from, that it is trained."""

import pytest
import torch

from benchmark.common.errors import InputError
from hpdval import students
from hpdval.hpdval import HPDVAL
from tests.helpers import drawn_images
from tests.helpers.plain_training import PLAIN

QUICK = {"stage1_lr": 1e-4, "stage2_epochs": 1, "stage2_lr": 1e-3, "batch_size": 6, "scale": 20.0}
QUICK |= PLAIN


@pytest.fixture
def tiny_vit(monkeypatch):
    monkeypatch.setattr(students, "ARCHITECTURE", "vit_tiny_patch16_224.augreg_in21k_ft_in1k")


def test_the_imagenet_student_is_trained_into_clips_space(tiny_vit, tmp_path):
    data = drawn_images.images(tmp_path, 6)
    scores = []
    for epochs in (0, 1, 1):
        method = HPDVAL(student="imagenet-random", **QUICK | {"stage1_epochs": epochs})
        run = drawn_images.run(tmp_path)
        method.fit(data, run)
        scores.append(method.predict(data.images, run))
    whole, patches = next(method._features(data.images, run))
    space = run.clip.encode_text(["a"]).shape[1]
    assert whole.shape == (6, space) and patches.shape[::2] == (6, space)
    linear = [m for m in method.image_tower.embedding if isinstance(m, torch.nn.Linear)]
    assert len(linear) == 2
    assert torch.equal(scores[1], scores[2]) and not torch.equal(scores[0], scores[1])


def test_an_imagenet_student_sees_pictures_as_it_was_trained(tiny_vit, tmp_path):
    pixels, seen = torch.randint(0, 256, (1, 3, 96, 96), dtype=torch.uint8), []

    def look(module, images):
        seen.append(images[0])

    for preprocess in ("clip", "clip-raw"):
        run = drawn_images.run(tmp_path, preprocess=preprocess)
        student = students.make("imagenet-random", run, "tokens")
        student.tower.patch_embed.register_forward_pre_hook(look)
        student(run.normalise(pixels))
    torch.testing.assert_close(seen[0], (pixels / 255 - 0.5) / 0.5, atol=1e-5, rtol=0)
    torch.testing.assert_close(seen[1], pixels / 255, atol=1e-5, rtol=0)


def test_missing_imagenet_weights_are_one_line_with_the_way_to_get_them(tmp_path, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *a: None)
    with pytest.raises(InputError, match=f"hf download {students.SOURCE.repository}") as caught:
        HPDVAL(student="imagenet").fit(drawn_images.images(tmp_path, 4), drawn_images.run(tmp_path))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError) as sooner:
        HPDVAL(student="imagenet").check_files()
    assert str(sooner.value) == str(caught.value) and HPDVAL().check_files() is None
    with pytest.raises(InputError, match="set it to tokens"):
        students.make("imagenet-random", drawn_images.run(tmp_path), "value")


def test_imagenet_weights_of_a_file_fill_the_tower(tiny_vit, tmp_path, monkeypatch):
    from safetensors.torch import save_file

    run = drawn_images.run(tmp_path)
    given = students.make("imagenet-random", run, "tokens").tower
    with torch.no_grad():
        given.norm.bias.fill_(7.0)
    path = tmp_path / "model.safetensors"
    save_file({**given.state_dict(), "head.bias": torch.zeros(1000)}, path)
    monkeypatch.setattr(students, "weights", lambda name: path)
    assert students.make("imagenet", run, "tokens").tower.norm.bias.eq(7).all()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="not those of"):
        students.make("imagenet", run, "tokens")
