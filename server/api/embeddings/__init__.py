"""Embeddings and ranking, in the dialects of OpenAI, llama.cpp, Jina and Text Embeddings Inference."""
