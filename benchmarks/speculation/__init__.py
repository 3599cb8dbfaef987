"""Speculative decoding, its gains and costs, on real texts and on made up ones."""
