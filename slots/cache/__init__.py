"""Pure structures of the prefix cache: radix tree, cell pool, parked sequences."""
