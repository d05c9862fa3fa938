"""Gets the official split lists and makes ours of them."""
