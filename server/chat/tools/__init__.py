"""Tools that a model may call, and thoughts that it writes first: how both are spelled, asked for and read."""
