"""Arrays of logits: top-k search, candidates, masks, compiled kernels."""
