"""Errors of finding, downloading and reading a model."""


class ModelError(Exception):
    """A model that cannot be used. The message is one sentence for the person who started the server."""


class ModelFileError(ModelError):
    """A file that does not exist, or is not a complete GGUF model."""


class HubError(ModelError):
    """A model that cannot be fetched from the Hugging Face hub."""
