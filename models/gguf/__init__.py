"""Reader for the header of GGUF files."""
