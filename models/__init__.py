"""Models: where a model comes from, and what its header says.

    source.py   the bundled model, a file, or the Hugging Face hub (hub.py)
    header.py   reads and checks its GGUF files (gguf/)
    report.py   prints the header at the start

bundled_model/ is not part of the wheel: it made bundled.gguf, see MODEL_CARD.md.
"""
