"""Tasks: images, labels, classes, groups, episodes, captions."""
