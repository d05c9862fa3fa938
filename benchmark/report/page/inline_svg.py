"""Figures for inside of a page: small SVG that shares its glyphs, else a picture as data."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from PIL import Image

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_HREF = f"{{{_XLINK}}}href"
LARGEST = 300_000  # bytes of SVG; what is larger, such as one with photographs, becomes a picture
_WIDE, _HEAVY = 1600, 150_000  # pixels and bytes of a picture that is left as it is
_REFERENCE = re.compile(r"(url\(#|^#)([^)]+)")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")


@dataclass(frozen=True)
class Figure:
    """One figure of the page: `svg` is markup, or else `source` a picture as a data: address."""

    name: str
    title: str
    caption: str
    svg: str = ""
    source: str = ""


def figures(files: Mapping[str, tuple[bytes, str]]) -> tuple[list[Figure], str]:
    """Each figure of {file name: (bytes, caption)} once, and the definitions that they share.

    The definitions are one SVG without size, which has to come before the figures.
    """
    captions = {PurePath(name).stem: caption for name, (_, caption) in files.items()}
    shared: dict[str, str] = {}
    found = []
    for name, caption in captions.items():
        mine: dict[str, str] = {}
        look = {"svg": svg(files[f"{name}.svg"][0], name, mine)}
        if len(look["svg"]) <= LARGEST:
            shared |= mine
        else:
            look = {"source": picture(files[f"{name}.png"][0])}
        found.append(Figure(name, caption.partition(":")[0], caption, **look))
    content = "".join(shared.values())
    sprite = f'<svg width="0" height="0" aria-hidden="true">{content}</svg>'
    return found, sprite if content else ""


def svg(content: bytes, name: str, shared: dict[str, str]) -> str:
    """matplotlib's SVG as an element of a page, definitions such as glyphs taken to `shared`.

    Definitions are named by their content, so that figures can have them in common; other ids
    that something refers to get `name` in front, the rest goes, as do metadata and style sheets,
    which inside of a page would hold for all of it.
    """
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(content)
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style", f"{{{_SVG}}}script"):
                parent.remove(child)
    used = _referred(root)
    names = _take_definitions(root, shared)
    for element in root.iter():
        _tidy(element, used, names, f"{re.sub(r'[^a-zA-Z0-9-]', '-', name)}-")
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib |= {"aria-hidden": "true", "focusable": "false"}
    return _compact(ElementTree.tostring(root, encoding="unicode"))


def _referred(root: Element) -> set[str]:
    """The ids that the element and those inside it refer to."""
    values = (value for element in root.iter() for value in element.attrib.values())
    return {match[2] for value in values for match in _REFERENCE.finditer(value)}


def _take_definitions(root: Element, shared: dict[str, str]) -> dict[str, str]:
    """Move what stands in <defs> to `shared`; returns old id -> new id."""
    names: dict[str, str] = {}
    for parent in root.iter():
        for defs in [child for child in parent if child.tag == f"{{{_SVG}}}defs"]:
            if _referred(defs):
                continue  # refers to another definition: stays
            for part in defs:
                old = part.attrib.pop("id", "")
                part.tail = None
                for inner in part.iter():
                    if "d" in inner.attrib:
                        inner.attrib["d"] = _rounded(inner.attrib["d"])
                markup = _compact(ElementTree.tostring(part, encoding="unicode"))
                new = f"d{hashlib.sha256(markup.encode()).hexdigest()[:10]}"
                names[old] = new
                part.attrib["id"] = new
                shared[new] = _compact(f"<defs>{ElementTree.tostring(part, 'unicode')}</defs>")
            parent.remove(defs)
    return names


def _tidy(element: Element, used: set[str], names: dict[str, str], prefix: str) -> None:
    """Ids, references and numbers of one element, in place."""

    def new(old: str) -> str:
        return names.get(old, prefix + old)

    own = element.attrib.pop("id", None)
    if own is not None and own in used:
        element.attrib["id"] = new(own)
    if _HREF in element.attrib:
        element.attrib["href"] = element.attrib.pop(_HREF)
    for key, value in element.attrib.items():
        if key == "href" or "url(#" in value:
            element.attrib[key] = _REFERENCE.sub(lambda m: m[1] + new(m[2]), value)
        elif key in ("d", "points", "x", "y"):
            element.attrib[key] = _rounded(value)
    element.text = element.text if (element.text or "").strip() else None
    element.tail = element.tail if (element.tail or "").strip() else None


def _rounded(text: str) -> str:
    """Numbers to a hundredth of a point, a single space between them."""
    text = _LONG_NUMBER.sub(lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), text)
    return " ".join(text.split())


def _compact(markup: str) -> str:
    return re.sub(rf' xmlns(:\w+)?="(?:{_SVG}|{_XLINK})"', "", markup)


def picture(png: bytes) -> str:
    """A PNG as a data: address; a heavy one as JPEG of at most 1600 pixels' width."""
    if len(png) > _HEAVY:
        with Image.open(io.BytesIO(png)) as image:
            small = jpeg(image, (_WIDE, _WIDE * 4), quality=86)
        if len(small) < len(png):
            return data(small, "image/jpeg")
    return data(png, "image/png")


def jpeg(image: Image.Image, size: tuple[int, int], quality: int) -> bytes:
    """The image as a JPEG file's bytes, made smaller where it is larger than `size` in pixels."""
    small, stream = image.convert("RGB"), io.BytesIO()
    small.thumbnail(size)
    small.save(stream, "JPEG", quality=quality, optimize=True)
    return stream.getvalue()


def data(content: bytes, kind: str) -> str:
    """The content as a data: address of that media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
