"""Readers of COCO's and VOC's annotations, as their owners ship them.

`Instances` reads COCO's annotations (instances JSON), the `voc_` functions Pascal VOC's (XML).
"""

from benchmark.data.annotations.coco import Box, Instances
from benchmark.data.annotations.voc import VOC_CLASSES, voc_boxes, voc_labels

__all__ = ["VOC_CLASSES", "Box", "Instances", "voc_boxes", "voc_labels"]
