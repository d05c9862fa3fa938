"""The frozen CLIP: which weights, image features and their cache, prompts, text features."""
