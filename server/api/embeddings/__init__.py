"""Embeddings and ranking over HTTP: OpenAI's dialect, llama.cpp's, Jina's and that of Text Embeddings Inference."""
