"""People's own images: labels files read, splits drawn from them, list files and manifests made."""
