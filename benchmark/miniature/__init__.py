"""The embedded miniature: a drawn world in COCO's and VOC's layouts, and its small CLIP."""
