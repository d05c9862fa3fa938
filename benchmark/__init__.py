"""The harness: suites, tasks, features, training, metrics, records and reports."""
