"""Whether class names fit CLIP's context of 77 tokens: by its tokenizer, without any weights."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.common.errors import InputError

CONTEXT = 77  # tokens, the first and the last of which begin and end the text
LEARNED = 16  # of them, the longest context that a method learns if it is not told otherwise
_PHOTO = "a photo of a {}."


def check(class_names: Sequence[str], template: str | None) -> None:
    """InputError for a class too long for the template, or for a learned context in front of it."""
    from open_clip.tokenizer import SimpleTokenizer

    from benchmark.clip.prompts import template_prompts

    tokenizer = SimpleTokenizer()
    for text, room in ((template or _PHOTO, CONTEXT - 2), ("{}.", CONTEXT - 2 - LEARNED)):
        for name, prompt in zip(class_names, template_prompts(class_names, text), strict=True):
            tokens = len(tokenizer.encode(prompt))
            if tokens > room:
                raise InputError(
                    f"class '{name}': '{prompt}' has {tokens} of CLIP's tokens, and {room} fit its "
                    "context; give it a shorter name with --names FILE, or a shorter --template"
                )
