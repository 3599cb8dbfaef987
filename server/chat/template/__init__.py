"""The model's Jinja chat template: loading, rendering, detecting what it supports, and adapting messages to that."""
