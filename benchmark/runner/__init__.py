"""Units to records: workers, executor, checkpoints."""
