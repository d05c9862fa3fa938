"""CPRFL's trunks: the order of places, CLIP's towers, the ResNet and its weights."""

import pytest
import torch
from safetensors.torch import save_file

from baselines import cprfl_trunks as trunks
from baselines.cprfl import CPRFL
from benchmark.clip.image_features import image_features
from benchmark.common.errors import InputError
from tests.helpers import drawn_images, toy_models
from tests.helpers.plain_training import PLAIN

QUICK = PLAIN | {"cycle": 0, "lr": 1e-4, "batch_size": 6, "trunk": "resnet101-random"}


@pytest.fixture
def small(monkeypatch):
    """A ResNet with fewer blocks."""
    monkeypatch.setattr(trunks, "ARCHITECTURE", "resnet18")


def made(folder, name="resnet101-random", preprocess="clip"):
    return trunks.make(name, drawn_images.run(folder, preprocess=preprocess), "tokens", 128)


def test_places_are_read_row_by_row():
    maps = torch.arange(2 * 3 * 2 * 4).view(2, 3, 2, 4)
    found = trunks.places(maps)
    assert found.shape == (2, 8, 3)
    assert torch.equal(found[1, 1 * 4 + 2], maps[1, :, 1, 2])


@pytest.mark.parametrize("name", [toy_models.PLAIN, toy_models.RESNET])
@pytest.mark.parametrize("local", ["tokens", "value"])
def test_a_clip_tower_of_either_kind_gives_its_places_and_never_leaves_eval_mode(
    name, local, tmp_path, monkeypatch
):
    toy_models.install(tmp_path, monkeypatch.setattr)
    tower = toy_models.model(name).visual
    trunk, images = trunks.ClipPlaces(tower, local, 16), torch.randn(2, 3, 64, 64)
    before = {key: value.clone() for key, value in tower.state_dict().items()}
    trunk.train()
    found = trunk(images)
    assert not any(module.training for module in trunk.modules())
    assert found.shape == (2, 16 if name == toy_models.PLAIN else 4, trunk.width)
    assert torch.equal(found, image_features(tower, images, local)[1])
    assert all(torch.equal(value, before[key]) for key, value in tower.state_dict().items())


def test_the_resnet_gives_its_last_map(small, tmp_path):
    trunk = made(tmp_path).eval()
    images, maps = torch.randn(2, 3, 96, 64), []
    trunk.network.layer4.register_forward_hook(lambda module, inputs, out: maps.append(out))
    found = trunk(images)
    assert found.shape == (2, 6, trunk.width) == (2, 6, 512)
    assert torch.equal(found[1, 2 * 1 + 1], maps[0][1, :, 1, 1])
    trunk(images).sum().backward()
    assert all(p.grad is not None for p in trunk.parameters()), "nothing idle is trained"


def test_the_resnet_sees_pictures_as_imagenet_s_and_raw_ones_as_they_are(small, tmp_path):
    pixels, seen = torch.randint(0, 256, (1, 3, 96, 96), dtype=torch.uint8), []
    for preprocess in ("clip", "clip-raw"):
        trunk = made(tmp_path, preprocess=preprocess).eval()
        trunk.network.conv1.register_forward_pre_hook(lambda m, images: seen.append(images[0]))
        trunk(drawn_images.run(tmp_path, preprocess=preprocess).normalise(pixels))
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (trunks.MEAN, trunks.STD))
    torch.testing.assert_close(seen[0], (pixels / 255 - mean) / std, atol=1e-5, rtol=0)
    torch.testing.assert_close(seen[1], pixels / 255, atol=1e-6, rtol=0)


def test_batch_norms_learn_in_training_and_end_as_their_average(small, tmp_path):
    data = drawn_images.images(tmp_path, 6)
    means = {}
    for ema in (0.0, 0.9):
        for epochs in (0, 2):
            method, run = (
                CPRFL(**QUICK | {"epochs": epochs, "ema": ema}),
                drawn_images.run(tmp_path),
            )
            method.fit(data, run)
            means[ema, epochs] = method.places.network.bn1.running_mean.clone()
            assert method.predict(data.images, run).shape == (6, 5)
            assert not method.places.training and not method.head.training
    moved, averaged = (means[ema, 2] - means[ema, 0] for ema in (0.0, 0.9))
    assert moved.abs().max() > 0
    assert 0 < averaged.norm() < 0.5 * moved.norm(), "an average over two steps lags behind"


def test_what_is_predicted_in_company_is_predicted_alone(small, tmp_path):
    data = drawn_images.images(tmp_path, 6)
    method, run = CPRFL(**QUICK | {"epochs": 1}), drawn_images.run(tmp_path)
    method.fit(data, run)
    whole = method.predict(data.images, run)
    rows = type(data.images)(data.images.root, data.images.paths[2:3])
    torch.testing.assert_close(method.predict(rows, run), whole[2:3], rtol=1e-3, atol=1e-4)


def test_missing_weights_are_one_line_with_the_way_to_get_them(tmp_path, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *a: None)
    with pytest.raises(InputError, match=f"hf download {trunks.SOURCE.repository}") as caught:
        CPRFL(trunk="resnet101").fit(drawn_images.images(tmp_path, 4), drawn_images.run(tmp_path))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError) as sooner:
        CPRFL(trunk="resnet101").check_files()
    assert str(sooner.value) == str(caught.value) and CPRFL().check_files() is None
    assert str(caught.value).startswith("hyperparameter trunk: 'resnet101' needs model.safetensors")


def test_weights_of_a_file_fill_the_network(small, tmp_path, monkeypatch):
    given = made(tmp_path).network
    with torch.no_grad():
        given.bn1.bias.fill_(7.0)
    path = tmp_path / "model.safetensors"
    tensors = {name: value.contiguous() for name, value in given.state_dict().items()}
    # As torchvision's oldest files have it: a classifier, and no count of batches.
    old = {k: v for k, v in tensors.items() if not k.endswith("num_batches_tracked")}
    monkeypatch.setattr(trunks, "weights", lambda name: path)
    for state in (tensors, old):
        save_file({**state, "fc.weight": torch.zeros(1000, 512)}, path)
        assert made(tmp_path, "resnet101").network.bn1.bias.eq(7).all()
    save_file({k: v for k, v in old.items() if k != "conv1.weight"}, path)
    with pytest.raises(InputError, match="not those of"):
        made(tmp_path, "resnet101")
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")  # a pickle is no safetensors file
    with pytest.raises(InputError, match="not those of"):
        made(tmp_path, "resnet101")


def test_the_network_is_torchvisions_resnet_101(tmp_path):
    trunk = made(tmp_path)
    assert trunk.width == 2048 and len(trunk.network.layer3) == 23
