"""Scenes: pictures composed of the sprites of some concepts, with the boxes of their objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from benchmark.miniature import concepts
from benchmark.miniature.banks import Bank

SIDE = 96  # pixels, the miniature CLIP's input


@dataclass(frozen=True)
class Style:
    """How a kind of picture looks. Sizes are fractions of the image's side."""

    dominant: tuple[float, float]  # extent of the largest object
    others: tuple[float, float]  # extent of the rest
    clutter: tuple[int, int]  # how many meaningless marks
    noise: float  # standard deviation, grey levels
    busy: float  # chance of a patterned background
    instances: float  # chance of a further instance of a named class
    contrast: tuple[float, float] = (0.8, 1.08)  # low ones are haze


# Chosen by the results of published baselines alone (see clip/README.md), then frozen.
BENCHMARK = Style((0.28, 0.60), (0.22, 0.44), (1, 6), 6.0, 0.1, 0.25, (0.75, 1.05))
BYSTANDERS = 0.3  # mean number of objects in a VOC picture of classes that VOC does not name
WEB = Style((0.38, 0.85), (0.20, 0.48), (0, 6), 6.0, 0.5, 0.15)


@dataclass(frozen=True)
class Placed:
    """One drawn object: pixel box (x, y, width, height) and its opaque area in pixels."""

    name: str
    difficult: bool
    box: tuple[int, int, int, int]
    area: int


def compose(
    names: list[str],
    style: Style,
    sprite_bank: Bank,
    rng: np.random.Generator,
    difficult: frozenset[str] = frozenset(),
) -> tuple[Image.Image, list[Placed]]:
    """Draw every named concept at least once; the first is the dominant one.

    Concepts in `difficult` appear once, small and partly covered. Later objects of the list may
    cover earlier ones. Returns an RGB image of SIDE x SIDE and its objects in drawing order.
    """
    canvas = _background(style, rng)
    _clutter(canvas, style, rng)
    placed: list[Placed] = []
    for name, extent, hard in _plan(names, style, rng, difficult):
        variants = sprite_bank[name]
        sprite = _instance(variants[rng.integers(len(variants))], extent, rng)
        x, y = _position(sprite.size, placed, hard, rng)
        canvas.paste(sprite, (x, y), sprite)
        placed.append(_place(name, hard, x, y, sprite))
    return _photograph(canvas, style, rng), placed


def _plan(names, style, rng, difficult) -> list[tuple[str, float, bool]]:
    """(name, extent in pixels, difficult) for every instance, largest first, difficult last."""
    known = concepts.load()
    crowd = (4 / max(4, len(names))) ** 0.35
    plan = []
    for i, name in enumerate(names):
        if name in difficult:
            plan.append((name, rng.uniform(0.14, 0.20) * SIDE, True))
            continue
        low, high = style.dominant if i == 0 else style.others
        extent = rng.uniform(low, high) * crowd * known[name].size ** 0.5
        plan.append((name, extent * SIDE, False))
        while rng.random() < style.instances and len(plan) < 18:
            plan.append((name, extent * SIDE * rng.uniform(0.5, 0.95), False))
    return sorted(plan, key=lambda item: (item[2], -item[1]))


def _instance(sprite: Image.Image, extent: float, rng: np.random.Generator) -> Image.Image:
    """A sprite at its size in the picture, mirrored, turned a little more and relit."""
    ratio = extent / max(sprite.size)
    size = (max(3, round(sprite.width * ratio)), max(3, round(sprite.height * ratio)))
    sprite = sprite.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.5)
    if rng.random() < 0.5:
        sprite = sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.4:
        sprite = sprite.rotate(rng.normal(0, 5), Image.Resampling.BILINEAR, expand=True)
    gain = rng.normal(1, 0.08) * np.exp(rng.normal(0, 0.04, 3))
    table = np.clip(np.arange(256)[None, :] * gain[:, None], 0, 255).astype(np.uint8)
    pixels = np.array(sprite)
    for channel, relit in enumerate(table):  # as Image.point, without its list of 1,024 numbers
        pixels[..., channel] = relit[pixels[..., channel]]
    return Image.fromarray(pixels)


def _position(size, placed: list[Placed], hard: bool, rng) -> tuple[int, int]:
    """The candidate that covers least of what is there (a difficult object: most)."""
    width, height = size
    tries, slack = 8, 0.08  # an object may stand out of the frame by this share
    xs = rng.uniform(-slack * width, SIDE - (1 - slack) * width, tries)
    ys = rng.uniform(-slack * height, SIDE - (1 - slack) * height, tries)
    if not placed:
        return int(xs[0]), int(ys[0])
    boxes = np.array([p.box for p in placed], dtype=np.float32)
    across = np.minimum(xs[:, None] + width, boxes[:, 0] + boxes[:, 2])
    across = across - np.maximum(xs[:, None], boxes[:, 0])
    down = np.minimum(ys[:, None] + height, boxes[:, 1] + boxes[:, 3])
    down = down - np.maximum(ys[:, None], boxes[:, 1])
    covered = np.maximum(across, 0) * np.maximum(down, 0) / (boxes[:, 2] * boxes[:, 3])
    overlap = covered.sum(axis=1)
    best = int(overlap.argmax() if hard else overlap.argmin())
    return int(xs[best]), int(ys[best])


def _place(name: str, hard: bool, x: int, y: int, sprite: Image.Image) -> Placed:
    left, top = max(0, x), max(0, y)
    right, bottom = min(SIDE, x + sprite.width), min(SIDE, y + sprite.height)
    opaque = np.asarray(sprite)[top - y : bottom - y, left - x : right - x, 3] > 127
    box = (left, top, max(2, right - left), max(2, bottom - top))
    return Placed(name, hard, box, max(4, int(opaque.sum())))


def _background(style: Style, rng: np.random.Generator) -> Image.Image:
    """A calm two-tone gradient, like a wall over a floor or a sky over the ground."""
    hue = rng.uniform(0, 1)
    wall, floor = (_tone(hue + shift, rng) for shift in (0, rng.normal(0, 0.12)))
    y = np.linspace(0, 1, SIDE, dtype=np.float32)[:, None, None]
    horizon = rng.uniform(0.45, 0.85)
    sharp = rng.uniform(3, 40)
    mix = 1 / (1 + np.exp(-sharp * (y - horizon)))
    picture = wall * (1 - mix) + floor * mix
    picture = np.broadcast_to(picture, (SIDE, SIDE, 3)).copy()
    if rng.random() < style.busy:
        x = np.linspace(0, 1, SIDE, dtype=np.float32)[None, :, None]
        angle, frequency = rng.uniform(0, np.pi), rng.uniform(8, 45)
        wave = np.sin(frequency * (np.cos(angle) * x + np.sin(angle) * y) + rng.uniform(0, 6))
        picture += wave * rng.uniform(4, 22)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def _tone(hue: float, rng: np.random.Generator) -> np.ndarray:
    """A muted, light colour (3,) of the given hue."""
    phase = 2 * np.pi * (hue + np.array([0, 1 / 3, 2 / 3]))
    return (rng.uniform(150, 225) + rng.uniform(4, 30) * np.cos(phase)).astype(np.float32)


def _clutter(canvas: Image.Image, style: Style, rng: np.random.Generator) -> None:
    """Soft marks that mean nothing: stains, bars and shadows."""
    for _ in range(rng.integers(style.clutter[0], style.clutter[1] + 1)):
        width, height = (max(3, int(s)) for s in rng.uniform(0.05, 0.35, 2) * SIDE)
        mark = Image.new("L", (width, height), int(rng.uniform(40, 150)))
        if rng.random() < 0.6:
            mark = mark.rotate(rng.uniform(0, 180), expand=True)
        colour = tuple(int(c) for c in rng.uniform(70, 235) + rng.uniform(-35, 35, 3))
        x, y = rng.integers(-width // 2, SIDE, 2)
        canvas.paste(Image.new("RGB", mark.size, colour), (int(x), int(y)), mark)


def _photograph(canvas: Image.Image, style: Style, rng: np.random.Generator) -> Image.Image:
    """Exposure, colour cast and sensor noise."""
    pixels = np.asarray(canvas).astype(np.float32)
    gain = rng.normal(1, 0.08) * np.exp(rng.normal(0, 0.025, 3))
    pixels = (pixels - 128) * rng.uniform(*style.contrast) + 128 + rng.normal(0, 7)
    pixels = pixels * gain.astype(np.float32)
    pixels += rng.standard_normal(pixels.shape, dtype=np.float32) * rng.uniform(0, style.noise)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
