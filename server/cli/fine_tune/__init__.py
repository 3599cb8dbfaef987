"""The command `llama-slots fine-tune`: a fine-tuning job in the terminal."""
