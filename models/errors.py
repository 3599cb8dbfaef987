"""What can go wrong between the name of a model and its weights."""


class ModelError(Exception):
    """A model that cannot be had; the message is one sentence for the person who asked for it."""


class ModelFileError(ModelError):
    """A file that is not there, or is not a whole GGUF model."""


class HubError(ModelError):
    """A model that cannot be fetched from the Hugging Face hub."""
