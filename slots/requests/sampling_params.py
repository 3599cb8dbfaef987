"""SamplingParams: how the next token is chosen. Names, neutral values and defaults are those of the llama-like API."""

import math
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from slots.requests.params import Boolean, Integer, Number, Params, Takes, expected

MAX_SEED = 2**32 - 1
MAX_N_PROBS = 128
"""Bounds what may wait for a slow reader: as many candidates for each token of a context."""
MAX_SAMPLERS = 16
"""In the order of samplers, which may name one several times."""
MAX_SEQUENCE_BREAKERS = 32
"""Each is searched for in every token of the vocabulary."""


LOGIT_BIASES = "a list of [token id or string, number or false] pairs, or an object with token ids or strings as keys"


class SamplerName(StrEnum):
    """The samplers that a request may put in an order."""

    PENALTIES = "penalties"
    DRY = "dry"
    TOP_N_SIGMA = "top_n_sigma"
    TOP_K = "top_k"
    TFS_Z = "tfs_z"
    TYP_P = "typ_p"
    TOP_P = "top_p"
    MIN_P = "min_p"
    XTC = "xtc"
    TEMPERATURE = "temperature"
    ADAPTIVE_P = "adaptive_p"
    INFILL = "infill"


DEFAULT_SAMPLERS = (
    SamplerName.PENALTIES,
    SamplerName.DRY,
    SamplerName.TOP_N_SIGMA,
    SamplerName.TOP_K,
    SamplerName.TFS_Z,
    SamplerName.TYP_P,
    SamplerName.TOP_P,
    SamplerName.MIN_P,
    SamplerName.XTC,
    SamplerName.TEMPERATURE,
)


def _check_samplers(samplers: tuple[SamplerName, ...]) -> tuple[SamplerName, ...]:
    if len(samplers) > MAX_SAMPLERS:
        raise expected(f"at most {MAX_SAMPLERS}", got=len(samplers))
    return samplers


def _check_breakers(breakers: tuple[str, ...]) -> tuple[str, ...]:
    if not all(breakers):
        raise expected("strings that are not empty", got=list(breakers))
    if len(breakers) > MAX_SEQUENCE_BREAKERS:
        raise expected(f"at most {MAX_SEQUENCE_BREAKERS} strings", got=len(breakers))
    return breakers


def _check_biases(biases: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
    for token, bias in biases:
        if math.isnan(bias) or bias == math.inf:
            raise expected(f"a finite bias for token {token}", got=bias)
    return biases


class SamplingParams(Params):
    """Raises InvalidRequest, which names the field, for a value of a wrong type or out of its range."""

    temperature: Number = Field(0.8, description="temperature of the distribution; 0 or less: the most likely token")
    dynatemp_range: Number = Field(
        0.0, ge=0.0, description="how far the temperature moves up and down with the entropy; 0: off"
    )
    dynatemp_exponent: Number = Field(1.0, ge=0.0, description="exponent of the entropy in that")
    top_k: Integer = Field(40, description="keep the k most likely tokens; 0 or less: all")
    top_p: Number = Field(
        0.95, ge=0.0, le=1.0, description="keep the most likely tokens that together reach this probability; 1: all"
    )
    min_p: Number = Field(
        0.05, ge=0.0, le=1.0, description="keep tokens with this share of the most likely one's probability; 0: all"
    )
    tfs_z: Number = Field(
        1.0, ge=0.0, le=1.0, description="tail-free sampling: drop the tail where probabilities level out; 1: off"
    )
    typical_p: Number = Field(
        1.0, ge=0.0, le=1.0, description="keep the tokens whose surprise is nearest to the expected one; 1: all"
    )
    top_n_sigma: Number = Field(
        -1.0, description="keep tokens within n standard deviations of the largest logit; 0 or less: all"
    )
    xtc_probability: Number = Field(
        0.0, ge=0.0, le=1.0, description="probability of dropping all likely tokens but the least likely; 0: off"
    )
    xtc_threshold: Number = Field(
        0.1, ge=0.0, le=1.0, description="probability from which a token counts as likely in XTC; above 0.5: off"
    )
    adaptive_target: Number = Field(
        -1.0, le=1.0, description="choose tokens near this probability, with adaptive_p in samplers; below 0: off"
    )
    adaptive_decay: Number = Field(
        0.9, ge=0.0, le=0.99, description="how slowly adaptive_p follows the probabilities that were chosen"
    )
    repeat_penalty: Number = Field(1.1, gt=0.0, description="penalty for repeated tokens; 1: off")
    repeat_last_n: Integer = Field(
        64, ge=-1, description="last tokens that the penalties consider; 0: none, -1: the whole context"
    )
    penalize_nl: Boolean = Field(True, description="apply the penalties to line breaks as well")
    presence_penalty: Number = Field(0.0, description="penalty for tokens that occurred; 0: off")
    frequency_penalty: Number = Field(0.0, description="penalty for each occurrence of a token; 0: off")
    dry_multiplier: Number = Field(0.0, ge=0.0, description="DRY: penalty for continuing a repeated sequence; 0: off")
    dry_base: Number = Field(1.75, ge=1.0, description="DRY: growth of the penalty with each token of the sequence")
    dry_allowed_length: Integer = Field(2, ge=0, description="DRY: length up to which a repeated sequence is free")
    dry_penalty_last_n: Integer = Field(
        64, ge=-1, description="last tokens that DRY considers; 0: none, -1: the whole context"
    )
    dry_sequence_breakers: Annotated[tuple[str, ...], Takes("a list of strings"), AfterValidator(_check_breakers)] = (
        Field(("\n", ":", '"', "*"), description="DRY: strings at which a sequence ends")
    )
    mirostat: Integer = Field(0, ge=0, le=2, description="1 or 2: this version of Mirostat; 0: off")
    mirostat_tau: Number = Field(5.0, ge=0.0, description="Mirostat: target surprise, tau")
    mirostat_eta: Number = Field(0.1, ge=0.0, description="Mirostat: learning rate, eta")
    samplers: Annotated[
        tuple[SamplerName, ...], Takes("a list of names or a string of letters"), AfterValidator(_check_samplers)
    ] = Field(DEFAULT_SAMPLERS, description="samplers in the order in which they are applied")
    min_keep: Integer = Field(0, ge=0, description="minimum number of tokens that a sampler keeps")
    seed: Integer = Field(-1, ge=-1, le=MAX_SEED, description="seed of the random numbers; -1: a new one each time")
    ignore_eos: Boolean = Field(False, description="never choose the end of the text")
    logit_bias: Annotated[tuple[tuple[int, float], ...], Takes(LOGIT_BIASES), AfterValidator(_check_biases)] = Field(
        (), description="numbers to add to the logits of tokens; false excludes a token"
    )
    n_probs: Integer = Field(
        0, ge=0, le=MAX_N_PROBS, description="report this many of the most likely tokens with each token"
    )
    post_sampling_probs: Boolean = Field(
        False, description="report them after the samplers, instead of as the model gives them"
    )
