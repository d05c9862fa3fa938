"""HP-DVAL: Dual-View Alignment Learning with Hierarchical-Prompt (arXiv 2509.17747)."""
