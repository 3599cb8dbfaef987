"""The samplers, one per file: their readable definitions in numpy."""
