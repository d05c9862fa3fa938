"""Reads the datasets as their owners ship them; `python -m benchmark data-root check` checks them.

`Instances` reads COCO's annotations (instances JSON), the `voc_` functions Pascal VOC's (XML, image
sets).
"""

from benchmark.data.annotations.coco import Box, Instances, coco_labels
from benchmark.data.annotations.voc import VOC_CLASSES, voc_boxes, voc_ids, voc_labels

__all__ = [
    "VOC_CLASSES",
    "Box",
    "Instances",
    "coco_labels",
    "voc_boxes",
    "voc_ids",
    "voc_labels",
]
