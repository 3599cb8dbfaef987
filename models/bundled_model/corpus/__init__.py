"""The corpus that the bundled model is trained on."""
