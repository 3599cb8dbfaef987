"""JSON Schema: checked here, compiled by llguidance."""
