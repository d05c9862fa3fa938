"""Sprites, small RGBA pictures of one concept each, drawn from its shapes and a random state.

`python -m benchmark.miniature.sprites FILE.png` draws the overview of all concepts.
"""

from __future__ import annotations

import colorsys
import sys
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from benchmark.miniature import concepts
from benchmark.miniature.concepts import Concept, Shape

SIDE = 96  # pixels of a finished sprite's longer side, where pictures may be filled with it
_OVERSAMPLING = 3
_MARGIN = 0.04  # free border, so that outlines and warps are not cut


def draw(concept: Concept, rng: np.random.Generator, side: int = SIDE) -> Image.Image:
    """One instance of a concept: random pose, colours, warp and light. RGBA, cropped to content.

    side   pixels of the longer side at most
    """
    pose = concept.poses[rng.integers(len(concept.poses))]
    colours = {slot: _jitter(values, rng) for slot, values in concept.colours.items()}
    warp = _Warp(rng)
    size = side * _OVERSAMPLING
    canvas = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    pencil = ImageDraw.Draw(canvas)
    outline = rng.uniform(0.0, 1.4) * size / 100
    traces = [_trace(shape) for shape in pose]
    ends = np.cumsum([len(points) for _, _, points in traces])[:-1]
    warped = np.split(warp(np.concatenate([points for _, _, points in traces])) * size, ends)
    for shape, (closed, width, _), pixels in zip(pose, traces, warped, strict=True):
        stroke = None if closed else max(1, round(width * size / 100))
        _paint(pencil, pixels.ravel().tolist(), _shade(colours, shape.colour), stroke, outline)
    if rng.random() < 0.5:
        canvas = canvas.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    canvas = canvas.rotate(
        float(np.clip(rng.normal(0, 0.5), -1, 1)) * concept.turn,
        resample=Image.Resampling.BILINEAR,
        expand=True,
    )
    canvas = canvas.crop(canvas.getbbox())
    canvas.thumbnail((side, side), Image.Resampling.BOX)
    return _light(canvas, rng)


def overview(columns: int = 16, cell: int = 76) -> Image.Image:
    """One instance of every concept, in class order; the README's picture."""
    known = list(concepts.load().values())
    page = Image.new("RGB", (columns * cell, -(-len(known) // columns) * cell), (244, 242, 236))
    for place, concept in enumerate(known):
        sprite = draw(concept, np.random.default_rng([2, place]))
        sprite.thumbnail((cell - 10, cell - 10))
        x = place % columns * cell + (cell - sprite.width) // 2
        y = place // columns * cell + (cell - sprite.height) // 2
        page.paste(sprite, (x, y), sprite)
    return page


class _Warp:
    """A smooth random deformation of the unit square, shared by all shapes of an instance."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.stretch = np.exp(rng.normal(0, 0.10, 2))
        self.shear = rng.normal(0, 0.06)
        self.amplitude = rng.normal(0, 1.6, 4)
        self.phase = rng.uniform(0, 2 * np.pi, 4)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(P, 2) coordinates 0..100 to warped coordinates 0..1, with a margin."""
        x, y = points[:, 0], points[:, 1]
        a, p = self.amplitude, self.phase
        dx = a[0] * np.sin(0.06 * y + p[0]) + a[1] * np.sin(0.13 * x + p[1])
        dy = a[2] * np.sin(0.06 * x + p[2]) + a[3] * np.sin(0.13 * y + p[3])
        moved = np.stack([x + dx + self.shear * (50 - y), y + dy], axis=1) - 50
        moved *= self.stretch / self.stretch.max() * 0.92
        return _MARGIN + (1 - 2 * _MARGIN) * (moved / 100 + 0.5)


def _paint(pencil, pixels: list[float], colour, stroke: int | None, outline: float) -> None:
    """A closed shape, outlined; with a `stroke`, its width, an open one with round caps."""
    if stroke is None:
        pencil.polygon(pixels, fill=colour)
        if outline >= 1:
            dark = tuple(int(c * 0.55) for c in colour[:3]) + (255,)
            pencil.line([*pixels, *pixels[:4]], dark, round(outline), joint="curve")
        return
    pencil.line(pixels, fill=colour, width=stroke, joint="curve")
    r = stroke / 2
    for x, y in (pixels[:2], pixels[-2:]):
        pencil.ellipse((x - r, y - r, x + r, y + r), fill=colour)


@cache
def _trace(shape: Shape) -> tuple[bool, float, np.ndarray]:
    """Closed or open, stroke width, and outline points (P, 2) of a primitive; not to be changed."""
    n = shape.numbers
    if shape.kind == "ellipse":
        t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        ring = np.stack([n[2] * np.cos(t), n[3] * np.sin(t)], axis=1)
        if len(n) == 5:
            c, s = np.cos(np.radians(n[4])), np.sin(np.radians(n[4]))
            ring = ring @ np.array([[c, s], [-s, c]])
        return True, 0.0, ring + n[:2]
    if shape.kind == "rect":
        return True, 0.0, _rounded(*n[:4], n[4] if len(n) == 5 else 0.0)
    if shape.kind == "arc":
        t = np.radians(np.linspace(n[5], n[6], 24))
        return False, n[0], np.stack([n[1] + n[3] * np.cos(t), n[2] + n[4] * np.sin(t)], axis=1)
    if shape.kind in ("poly", "blob"):
        points = np.array(n).reshape(-1, 2)
        return True, 0.0, _smooth(points, True) if shape.kind == "blob" else points
    points = np.array(n[1:]).reshape(-1, 2)
    return False, n[0], _smooth(points, False) if shape.kind == "curve" else points


def _rounded(x0, y0, x1, y1, radius) -> np.ndarray:
    """Outline points (P, 2) of a rectangle, clockwise from its upper right corner."""
    corners = [(x1, y0, -1, 1, -90), (x1, y1, -1, -1, 0), (x0, y1, 1, -1, 90), (x0, y0, 1, 1, 180)]
    steps = np.radians(np.linspace(0, 90, 5))
    arcs = []
    for x, y, sx, sy, start in corners:
        t = steps + np.radians(start)
        across, down = x + sx * radius + radius * np.cos(t), y + sy * radius + radius * np.sin(t)
        arcs.append(np.stack([across, down], axis=1))
    return np.concatenate(arcs) if radius else np.array([(c[0], c[1]) for c in corners], float)


def _smooth(points: np.ndarray, closed: bool, steps: int = 6) -> np.ndarray:
    """Catmull-Rom curve through the points."""
    before, after = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    padded = np.concatenate([before, points, after])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        cubic = -p0 + 3 * p1 - 3 * p2 + p3
        square = 2 * p0 - 5 * p1 + 4 * p2 - p3
        pieces.append(p1 + 0.5 * ((p2 - p0) * t + square * t**2 + cubic * t**3))
    return np.concatenate(pieces if closed else [*pieces, points[-1:]])


def _jitter(values: tuple[str, ...], rng: np.random.Generator) -> tuple[float, float, float]:
    """One of the typical colours, moved a little in hue, saturation and lightness. HLS."""
    text = values[rng.integers(len(values))].lstrip("#")
    red, green, blue = (int(text[i : i + 2], 16) / 255 for i in (0, 2, 4))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    hue += rng.normal(0, 0.012)
    lightness = np.clip(lightness + rng.normal(0, 0.035), 0.02, 0.98)
    saturation = np.clip(saturation * np.exp(rng.normal(0, 0.12)), 0, 1)
    return hue % 1.0, float(lightness), float(saturation)


def _shade(colours: dict, name: str) -> tuple[int, int, int, int]:
    slot = name.rstrip("+-")
    hue, lightness, saturation = colours[slot]
    for sign in name[len(slot) :]:
        lightness = lightness * 0.72 if sign == "-" else lightness + (1 - lightness) * 0.38
    return tuple(int(255 * c) for c in colorsys.hls_to_rgb(hue, lightness, saturation)) + (255,)


def _light(sprite: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Light from one side, and sometimes a soft focus."""
    if rng.random() < 0.25:
        sprite = sprite.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9)))
    pixels = np.asarray(sprite).astype(np.float32)
    height, width = pixels.shape[:2]
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.28)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    gain = 1 + strength * (np.cos(angle) * x + np.sin(angle) * y)
    pixels[..., :3] *= gain[..., None].astype(np.float32)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8), "RGBA")


if __name__ == "__main__":
    overview().save(sys.argv[1], optimize=True)
