"""Embeddings and scores of texts."""
