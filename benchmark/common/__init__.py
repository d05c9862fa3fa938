"""What every room may use: errors, strict YAML, whole files and locks, seeds, environment."""
