"""Settings under which a few steps show in the end: a constant rate, no average, plain pictures."""

PLAIN = {"schedule": "constant", "ema": 0.0, "augment": "none"}
