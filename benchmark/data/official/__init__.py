"""The official split lists: getting them, making ours of them, checking both."""
