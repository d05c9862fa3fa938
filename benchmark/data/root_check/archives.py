"""What has to be downloaded for each split: archives, their sizes, and what they unpack to.

Sizes and md5 are those that torchvision, TensorFlow Datasets, LAVIS and GluonCV give for the
owners' files; the numbers of images and annotations are those that the owners publish.
"""

from __future__ import annotations

from dataclasses import dataclass

_COCO = "https://cocodataset.org/#download"
_VOC07 = "http://host.robots.ox.ac.uk/pascal/VOC/voc2007/"
_VOC12 = "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/"


@dataclass(frozen=True)
class Archive:
    """A file to download and unpack in the data root."""

    name: str
    page: str  # where its owner offers it
    size: int  # bytes
    md5: str

    @property
    def text(self) -> str:
        """Name, size, md5 and page in one line."""
        return f"{self.name} ({self.size:,} bytes, md5 {self.md5}) from {self.page}"


@dataclass(frozen=True)
class Part:
    """Where the training or the test images of a split come from; paths below the data root."""

    images: str  # folder
    count: int  # images that the archive puts there
    archive: Archive
    annotations: str  # COCO: the instances file; VOC: the folder of XML files
    size: tuple[int, int] | None  # images and annotations of the instances file
    annotations_archive: Archive
    convention: str  # crowds (COCO) or difficult objects (VOC): positive | negative


_ARCHIVES = {
    name: Archive(name, page, size, md5)
    for name, page, size, md5 in (
        ("train2017.zip", _COCO, 19_336_861_798, "cced6f7f71b7629ddf16f17bbcfab6b2"),
        ("val2017.zip", _COCO, 815_585_330, "442b8da7639aecaf257c1dceb8ba8c80"),
        ("annotations_trainval2017.zip", _COCO, 252_907_541, "f4bbac642086de4f52a3fdda2de5fa2c"),
        ("train2014.zip", _COCO, 13_510_573_713, "0da8c0bd3d6becc4dcb32757491aca88"),
        ("val2014.zip", _COCO, 6_645_013_297, "a3d79f5ed8d289b7a7554ce06a5782b3"),
        ("annotations_trainval2014.zip", _COCO, 252_872_794, "0a379cfc70b0e71301e0f377548639bd"),
        ("VOCtrainval_06-Nov-2007.tar", _VOC07, 460_032_000, "c52e279531787c972589f7e41ab4ae64"),
        ("VOCtest_06-Nov-2007.tar", _VOC07, 451_020_800, "b6e924de25625d8de591ea690078ad9f"),
        ("VOCtrainval_11-May-2012.tar", _VOC12, 1_999_639_040, "6cd6e144f989b92b3379bac3b3de84fd"),
    )
}


def _coco(folder: str, images: int, annotations: int, crowd: str) -> Part:
    file, size = f"annotations/instances_{folder}.json", (images, annotations)
    archive = _ARCHIVES[f"{folder}.zip"]
    notes = _ARCHIVES[f"annotations_trainval{folder[-4:]}.zip"]
    return Part(folder, images, archive, file, size, notes, crowd)


def _voc(year: int, images: int, name: str, difficult: str) -> Part:
    folder, archive = f"VOCdevkit/VOC{year}", _ARCHIVES[f"{name}.tar"]
    notes = f"{folder}/Annotations"
    return Part(f"{folder}/JPEGImages", images, archive, notes, None, archive, difficult)


# Split -> (part of the training lists, part of the test list)
PARTS: dict[str, tuple[Part, Part]] = {
    "coco-lt": (
        _coco("train2017", 118_287, 860_001, "positive"),
        _coco("val2017", 5_000, 36_781, "positive"),
    ),
    "voc-lt": (
        _voc(2012, 17_125, "VOCtrainval_11-May-2012", "positive"),
        _voc(2007, 4_952, "VOCtest_06-Nov-2007", "positive"),
    ),
    "coco-fs": (
        _coco("train2014", 82_783, 604_907, "negative"),
        _coco("val2014", 40_504, 291_875, "negative"),
    ),
    "voc-fs": (
        _voc(2007, 5_011, "VOCtrainval_06-Nov-2007", "negative"),
        _voc(2007, 4_952, "VOCtest_06-Nov-2007", "negative"),
    ),
}
