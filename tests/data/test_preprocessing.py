"""Preprocessing against open_clip's and torchvision's own, its names, and pictures of all kinds."""

import io
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional as pictures

from benchmark.common import environment
from benchmark.common.errors import InputError
from benchmark.data import preprocessing
from benchmark.data.preprocessing import parse, read_image

SAMPLES = environment.ROOT.parent / "shared" / "real_samples"


def noise(width, height, mode="RGB", seed=0):
    dice = np.random.default_rng(seed)
    picture = Image.fromarray(dice.integers(0, 256, (height, width, 3), np.uint8))
    return picture.convert(mode)


@pytest.mark.parametrize(
    "name", ["clip", "clip-raw", "clip-448", "square", "square-raw", "square-448", "square-raw-448"]
)
def test_names_are_canonical(name):
    assert parse(name).name == name


def test_parts_of_a_name():
    assert parse("clip") == preprocessing.CLIP
    assert parse("square-raw-448") == preprocessing.Preprocessing("square", "raw", 448)
    assert parse("square-448-raw").name == "square-raw-448"


@pytest.mark.parametrize(
    "name, part",
    [
        ("sqare", "did you mean 'square'"),
        ("clip-", "unknown preprocessing"),
        ("clip-0", "unknown preprocessing"),
        ("clip-0224", "unknown preprocessing"),
        ("clip-raw-448-raw", "unknown preprocessing"),
        ("", "unknown preprocessing"),
        ("Clip", "did you mean"),
        ("square-9", "size must be 16 to 4096"),
        ("clip-10000", "size must be 16 to 4096"),
    ],
)
def test_a_wrong_name_gets_one_line(name, part):
    with pytest.raises(InputError, match=part) as caught:
        parse(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (333, 500), (100, 91), (96, 96), (50, 7)])
def test_clip_is_open_clips_own(size):
    from open_clip import image_transform

    picture = noise(*size)
    mean, std = torch.rand(3), 0.2 + torch.rand(3)
    theirs = image_transform(96, False, tuple(mean.tolist()), tuple(std.tolist()))(picture)
    pixels = torch.from_numpy(preprocessing.CLIP.pixels(picture, 96)[None].copy())
    ours = preprocessing.CLIP.normalised(pixels, mean.view(3, 1, 1), std.view(3, 1, 1))[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("side", [95, 96, 97])
def test_square_is_a_direct_resize(side):
    picture = noise(150, 71)
    bicubic = pictures.InterpolationMode.BICUBIC
    expected = pictures.pil_to_tensor(pictures.resize(picture, [side, side], bicubic))
    assert np.array_equal(parse("square").pixels(picture, side), expected.numpy())
    assert not np.array_equal(parse("clip").pixels(picture, side), expected.numpy())


def test_raw_leaves_out_mean_and_deviation():
    pixels = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    mean, std = torch.full((3, 1, 1), 0.4), torch.full((3, 1, 1), 0.3)
    raw = parse("clip-raw").normalised(pixels, mean, std)
    assert raw.dtype == torch.float32 and torch.equal(raw, pixels.float() / 255)
    assert torch.equal(parse("square").normalised(pixels, mean, std), (raw - mean) / std)


def test_identity_tells_pictures_apart_and_not_their_normalisation():
    assert parse("clip").identity(96) == "clip resize-bicubic centre-crop 96"  # as it ever was
    names = ("clip", "square")
    assert len({parse(name).identity(size) for name in names for size in (96, 224)}) == 4
    assert parse("clip-raw").identity(96) == parse("clip").identity(96)


@pytest.mark.parametrize(
    "mode, ending",
    [("L", "jpg"), ("CMYK", "jpg"), ("1", "png"), ("P", "png"), ("LA", "png"), ("RGBA", "png")],
)
def test_every_kind_of_picture_becomes_rgb(mode, ending, tmp_path):
    plain = Image.linear_gradient("L").resize((40, 30)).convert("RGB")
    plain.convert(mode).save(tmp_path / f"a.{ending}")
    picture = read_image(tmp_path / f"a.{ending}")
    assert picture.mode == "RGB" and picture.size == (40, 30)
    if mode != "1":
        wrong = np.abs(np.asarray(picture).astype(int) - np.asarray(plain)).mean()
        assert wrong < (20 if mode == "P" else 4)  # PIL's default palette is coarse


def test_a_palette_with_transparency_gives_no_warning(tmp_path):
    picture = noise(8, 8).quantize(16)
    picture.info["transparency"] = bytes(range(16))
    picture.save(tmp_path / "a.png", transparency=bytes(range(16)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(tmp_path / "a.png").mode == "RGB"


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path):
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert np.asarray(read_image(tmp_path / "a.png"))[0, :, 0].tolist() == [0, 1, 128, 255]
    Image.fromarray(values.astype(np.int32)).save(tmp_path / "a.tif")
    assert np.asarray(read_image(tmp_path / "a.tif"))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_the_exif_orientation_is_not_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    noise(40, 30).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").size == (40, 30)


def jpeg(size=(200, 150)):
    file = io.BytesIO()
    noise(*size).save(file, "jpeg")
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        jpeg()[:3000],
        jpeg()[:-500],
        b"",
        b"not an image at all",
        jpeg()[:4],
        b"\x89PNG\r\n\x1a\n" + b"\0" * 50,
    ],
    ids=["half", "tail", "empty", "text", "head", "png"],
)
def test_what_cannot_be_read_is_named_in_one_line(content, tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as an image") as caught:
        read_image(path)
    message = str(caught.value)
    assert message.count(str(path)) == 1 and "\n" not in message and "fetch it again" in message


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="gone.jpg.*No such file"):
        read_image(tmp_path / "gone.jpg")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="../shared/real_samples is absent")
def test_real_photographs():
    files = sorted(SAMPLES.rglob("*.jpg"))
    assert len(files) > 100
    for file in files[::8]:
        picture = read_image(file)
        with Image.open(file) as stored:
            assert picture.mode == "RGB" and picture.size == stored.size
        assert parse("clip").pixels(picture, 64).shape == (3, 64, 64)


def test_torch_is_not_imported():
    code = "import sys; from benchmark.data import preprocessing; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=environment.ROOT)
