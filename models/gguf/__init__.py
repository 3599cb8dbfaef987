"""Reader of GGUF headers, which does not trust the file."""
