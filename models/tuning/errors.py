"""Errors of fine-tuning."""


class TuningError(Exception):
    """A job that cannot go on. The message is one sentence for the person who created it."""


class DatasetError(TuningError):
    """A file that holds no prompts with responses. The message names the row and the column."""


class TrainerMissing(TuningError):
    """A model that the installed packages cannot train."""


class StoreError(Exception):
    """A folder of fine-tunes that cannot be used. The message is one sentence for the person who started the server."""
