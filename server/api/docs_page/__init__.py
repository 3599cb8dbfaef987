"""GET /docs: a page over /openapi.json, which needs nothing from the network."""
