"""The few figures of chi-squared and Student's t that models and their tests need, for whole degrees of freedom.

scipy.special has them too, and takes longer to import than a step to evaluate a model. Formulas: Abramowitz and Stegun,
"Handbook of Mathematical Functions" (1964), 26.4.4-5, 26.7.3-5; equal to scipy's to 1e-12.
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist

import numpy as np

_MANY = 2000
"""Degrees of freedom from which the expansion of a quantile is exact to the last digits."""


def chi_squared_tail(value: float, freedom: int) -> float:
    """Return the probability of more than `value`, at least 0."""
    half, power = value / 2.0, freedom / 2.0 % 1.0
    total = math.erfc(math.sqrt(half)) if power else 0.0
    term = math.exp(-half) * half**power / math.gamma(power + 1.0)
    while power < freedom / 2.0:
        total += term
        power += 1.0
        term *= half / power
    return total


@cache
def chi_squared_quantile(tail: float, freedom: int) -> float:
    """Return what is exceeded with the probability `tail`."""
    low, high = 0.0, 1.0
    while chi_squared_tail(high, freedom) > tail:
        low, high = high, 2.0 * high
    while low < (middle := (low + high) / 2.0) < high:
        low, high = (middle, high) if chi_squared_tail(middle, freedom) > tail else (low, middle)
    return high


def t_quantile(probability: float, freedom: int) -> float:
    """Return what Student's t stays below with a probability of more than a half."""
    z = NormalDist().inv_cdf(probability)
    powers = z ** np.arange(1.0, 10.0, 2.0)
    terms = np.array(
        [
            [1.0, 0.0, 0.0, 0.0, 0.0],
            [1 / 4, 1 / 4, 0.0, 0.0, 0.0],
            [3 / 96, 16 / 96, 5 / 96, 0.0, 0.0],
            [-15 / 384, 17 / 384, 19 / 384, 3 / 384, 0.0],
            [-945 / 92160, -1920 / 92160, 1482 / 92160, 776 / 92160, 79 / 92160],
        ]
    )
    t = float((terms @ powers) @ (1.0 / freedom) ** np.arange(5.0))
    if freedom > _MANY:
        return t
    factor = math.exp(math.lgamma((freedom + 1) / 2.0) - math.lgamma(freedom / 2.0)) / math.sqrt(freedom * math.pi)
    while True:
        # Newton's method comes from below, since the distribution bends downwards.
        density = factor * (1.0 + t * t / freedom) ** (-(freedom + 1) / 2.0)
        better = t + (probability - 0.5 - _t_above_zero(t, freedom)) / density
        if better <= t:
            return t
        t = better


def _t_above_zero(t: float, freedom: int) -> float:
    """Return the probability of a value between 0 and `t`."""
    angle = math.atan2(t, math.sqrt(freedom))
    odd, cosine = freedom % 2, math.cos(angle)
    if freedom == 1:
        return angle / math.pi
    even = 2.0 * np.arange(1, freedom // 2)
    ratios = even / (even + 1.0) if odd else (even - 1.0) / even
    series = math.sin(angle) * (1.0 + float(np.cumprod(ratios * cosine**2).sum()))
    return (angle + cosine * series) / math.pi if odd else series / 2.0
