"""Where a model comes from, and what its header says."""
