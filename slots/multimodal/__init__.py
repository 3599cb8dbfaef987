"""Multimodal: from the file of a picture or sound to the embeddings that stand for it in a prompt."""
