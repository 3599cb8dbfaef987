"""What the benchmarks share: clients, server processes, prompts, tables."""
