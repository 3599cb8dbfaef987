"""The engine: one thread that owns the llama context and serves a pool of slots."""
