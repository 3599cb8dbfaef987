"""The HTTP dialects: a package for each, with its request models, endpoints and error shape."""
