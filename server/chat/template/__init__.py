"""The model's Jinja chat template: loading, rendering, probing and adapting to it."""
