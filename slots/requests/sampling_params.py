"""SamplingParams: how the next token is chosen. Names, neutral values and defaults are those of the llama-like API."""

import math
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from slots.requests.params import Boolean, Integer, LongInteger, Number, Params, Takes, expected

RANDOM_SEED = -1
MIN_SEED = -(2**63)
MAX_SEED = 2**64 - 1
"""Clients send clocks in milliseconds, random numbers of 53 bits and signed ones of 64."""
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

    temperature: Number = Field(0.8, description="temperature; 0 = greedy, always the most likely token")
    dynatemp_range: Number = Field(
        0.0,
        ge=0.0,
        description="dynamic temperature: how far the entropy moves the temperature up and down; 0 = disabled",
    )
    dynatemp_exponent: Number = Field(1.0, ge=0.0, description="dynamic temperature: exponent of the entropy")
    top_k: Integer = Field(40, description="top-k: keep the N most likely tokens; 0 = disabled")
    top_p: Number = Field(
        0.95,
        ge=0.0,
        le=1.0,
        description="top-p: keep the most likely tokens until their probabilities sum up to N; 1 = disabled",
    )
    min_p: Number = Field(
        0.05,
        ge=0.0,
        le=1.0,
        description="min-p: keep tokens with at least N times the probability of the most likely one; 0 = disabled",
    )
    tfs_z: Number = Field(
        1.0, ge=0.0, le=1.0, description="tail-free sampling: cut the tail of unlikely tokens; 1 = disabled"
    )
    typical_p: Number = Field(
        1.0,
        ge=0.0,
        le=1.0,
        description=(
            "typical-p: keep tokens whose information is closest to the entropy, up to probability N; 1 = disabled"
        ),
    )
    top_n_sigma: Number = Field(
        -1.0, description="top-n-sigma: keep tokens within N standard deviations of the largest logit; -1 = disabled"
    )
    xtc_probability: Number = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description=(
            "XTC: probability of removing all tokens above the threshold but the least likely of them; 0 = disabled"
        ),
    )
    xtc_threshold: Number = Field(
        0.1, ge=0.0, le=1.0, description="XTC: threshold, as a probability; above 0.5 = disabled"
    )
    adaptive_target: Number = Field(
        -1.0,
        le=1.0,
        description="adaptive-p: target probability of the tokens, if adaptive_p is among the samplers; -1 = disabled",
    )
    adaptive_decay: Number = Field(
        0.9,
        ge=0.0,
        le=0.99,
        description="adaptive-p: decay of the average over earlier tokens, up to 0.99; larger adapts more slowly",
    )
    repeat_penalty: Number = Field(1.1, gt=0.0, description="penalty for repeated tokens; 1 = disabled")
    repeat_last_n: Integer = Field(
        64, ge=-1, description="number of last tokens to penalize; 0 = disabled, -1 = the whole context"
    )
    penalize_nl: Boolean = Field(True, description="apply these penalties to line breaks as well")
    presence_penalty: Number = Field(0.0, description="penalty for tokens that occur at all; 0 = disabled")
    frequency_penalty: Number = Field(0.0, description="penalty for each occurrence of a token; 0 = disabled")
    dry_multiplier: Number = Field(
        0.0, ge=0.0, description="DRY: penalty for continuing a repeated sequence; 0 = disabled"
    )
    dry_base: Number = Field(1.75, ge=1.0, description="DRY: growth of the penalty with each token of the sequence")
    dry_allowed_length: Integer = Field(2, ge=0, description="DRY: minimum length of a repeated sequence to penalize")
    dry_penalty_last_n: Integer = Field(
        64,
        ge=-1,
        description="DRY: number of last tokens to search for repetitions; 0 = disabled, -1 = the whole context",
    )
    dry_sequence_breakers: Annotated[tuple[str, ...], Takes("a list of strings"), AfterValidator(_check_breakers)] = (
        Field(("\n", ":", '"', "*"), description="DRY: strings that end a sequence")
    )
    mirostat: Integer = Field(
        0, ge=0, le=2, description="Mirostat version 1 or 2, in place of other samplers; 0 = disabled"
    )
    mirostat_tau: Number = Field(5.0, ge=0.0, description="Mirostat: target entropy, tau")
    mirostat_eta: Number = Field(0.1, ge=0.0, description="Mirostat: learning rate, eta")
    samplers: Annotated[
        tuple[SamplerName, ...], Takes("a list of names or a string of letters"), AfterValidator(_check_samplers)
    ] = Field(DEFAULT_SAMPLERS, description="samplers in the order in which they are applied")
    min_keep: Integer = Field(0, ge=0, description="minimum number of tokens that a sampler keeps; 0 = no minimum")
    seed: LongInteger = Field(
        RANDOM_SEED,
        ge=MIN_SEED,
        le=MAX_SEED,
        description="seed of the random number generator; -1 = a random seed per request",
    )
    ignore_eos: Boolean = Field(False, description="continue after an end-of-generation token")
    logit_bias: Annotated[tuple[tuple[int, float], ...], Takes(LOGIT_BIASES), AfterValidator(_check_biases)] = Field(
        (), description="biases to add to the logits of tokens; false excludes a token"
    )
    n_probs: Integer = Field(
        0, ge=0, le=MAX_N_PROBS, description="number of most likely tokens to return with each token; 0 = disabled"
    )
    post_sampling_probs: Boolean = Field(False, description="return their probabilities after the samplers, not before")

    @property
    def is_reproducible(self) -> bool:
        """Whether another request with the same options has to give the same text: no token is chosen at random, or
        there is a seed."""
        return self.seed != RANDOM_SEED or self.temperature <= 0
