"""What `benchmark.diagnostics.speed.steps` measured, for people: two tables and what they mean."""

from __future__ import annotations

from typing import Any

from benchmark.common.text import aligned
from benchmark.diagnostics.speed.step_timer import PARTS

EXPLAINED = """\
plain  the image tower encodes each batch in the loop (without gradients where it is frozen), and
       each prompt goes whole through the text tower, all 77 tokens, on its own: as the authors'
       code does it
fast   frozen features are cached, the text is encoded as the suite does it
Both ways run the same method's class from the same seeds on the same batches; pictures are decoded
before and not augmented, which is left out on both sides. A ratio is plain / fast: the median of
the pairs for a step. An epoch of the fast way has its share of computing the frozen features of
all training images (and of all augmented views that the suite asks for), spread over the suite's
epochs. At miniature shapes whole epochs are measured; at the paper's, an epoch is so many times
the measured step. hpdval without a stage: both stages as the suite's epochs weigh them. GFLOP are
those of matrix products, attention and convolutions as torch's counter has them."""

KINKED = "hpdval.stage1"
ABOUT_KINK = """\
There the student still equals its teacher, so that L1 distillation stands at its kink: where their
features differ in the last bit, rounding alone decides the sign of its gradient."""


def text(found: dict[str, Any]) -> str:
    """Times and ratios, then where the time goes, then the explanation."""
    names = [key.removesuffix(".step_ratio") for key in found if key.endswith(".step_ratio")]
    stages = [name for name in names if f"{name}.pairs" in found]
    head = (
        f"{found['device']}, torch {found['torch']}, float32; large matrix products: "
        f"{found['matmul_gflop_per_second']:.0f} GFLOP/s"
    )
    return "\n".join(
        [
            head,
            "",
            *_times(found, names),
            "",
            *_shares(found, stages),
            "",
            *_differences(found, stages),
        ]
        + ["", EXPLAINED]
    )


def _differences(found: dict[str, Any], stages: list[str]) -> list[str]:
    """How far the first step's gradients are apart, HP-DVAL's first stage apart from the others."""
    apart = {name: found[f"{name}.gradient_difference"] for name in stages}
    kinked = [name for name in stages if name.endswith(KINKED)]
    lines = []
    if smooth := [apart[name] for name in stages if name not in kinked]:
        lines += [f"The first step's gradients differ by {max(smooth):.1g} at most (relative)."]
    if kinked:
        values = ", ".join(f"{name} {apart[name]:.1g}" for name in kinked)
        lines += [f"In HP-DVAL's stage 1: {values}.", *ABOUT_KINK.splitlines()]
    return lines


def _times(found: dict[str, Any], names: list[str]) -> list[str]:
    rows = [["", "step plain", "fast", "ratio", "epoch plain", "fast", "ratio", "pairs"]]
    for name in names:
        row = [name]
        for what in ("step", "epoch"):
            row += [_seconds(found[f"{name}.{way}.{what}_seconds"]) for way in ("plain", "fast")]
            row.append(f"{found[f'{name}.{what}_ratio']:.1f}")
        rows.append([*row, str(found.get(f"{name}.pairs", ""))])
    return aligned(rows)


def _shares(found: dict[str, Any], names: list[str]) -> list[str]:
    rows = [["time of a step in", *PARTS, "GFLOP a step", "GFLOP/s"]]
    for name in names:
        for way in ("plain", "fast"):
            part = {k: found[f"{name}.{way}.{k}_share"] for k in PARTS}
            total, rate = (found[f"{name}.{way}.{k}"] for k in ("gflop", "gflop_per_second"))
            shares = [f"{100 * share:.0f} %" for share in part.values()]
            rows.append([f"{name} {way}", *shares, f"{total:.1f}", f"{rate:.1f}"])
    return aligned(rows)


def _seconds(value: float) -> str:
    if value < 0.1:
        return f"{1000 * value:.1f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"
