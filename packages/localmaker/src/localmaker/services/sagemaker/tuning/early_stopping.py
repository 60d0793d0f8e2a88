"""Whether a training job is stopped early (``TrainingJobEarlyStoppingType: Auto``). Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median


def is_hopeless(values: Sequence[float], completed: Sequence[Sequence[float]], *, maximize: bool) -> bool:
    """Return whether a training job does worse than the others did up to the same epoch.

    The developer guide's rule ("Stop Training Jobs Early"): the last value of the objective is worse than the median of
    the other jobs' running averages. An epoch is a value of the objective in the log.

    Args:
        values: of the objective so far, at least one.
        completed: of the training jobs that have completed.
        maximize: whether a higher value is better.
    """
    averages = [fmean(others[: len(values)]) for others in completed if others]
    if not averages:
        return False
    middle = median(averages)
    return values[-1] < middle if maximize else values[-1] > middle
