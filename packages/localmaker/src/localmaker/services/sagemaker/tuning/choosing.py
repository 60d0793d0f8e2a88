"""The values of the next training job. A choice follows from the seed, its number and the results so far.

Random and grid search repeat themselves whatever the training jobs do. Bayesian optimisation (optuna's tree-structured
Parzen estimator) repeats itself as long as results come in the same order, so with one training job at a time.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from localmaker.services.sagemaker.tuning.ranges import Searched, Space, read_all, texts

# Bayesian optimisation begins with random values, as it knows nothing; the default jobs of a tuning are few.
_RANDOM_STARTS = 5


@dataclass(frozen=True)
class Result:
    """The values of a training job that has ended, as text, and its objective."""

    values: Mapping[str, str]
    objective: float


def combinations(space: Space) -> int:
    """Return how many training jobs a grid of categorical ranges takes."""
    return prod(len(one.values) for one in space)


def choose(
    strategy: str, space: Space, seed: int, number: int, results: Sequence[Result] = (), *, maximize: bool = False
) -> dict[str, str]:
    """Return the values of training job ``number``, counted from 0; of a grid, less than its combinations.

    Args:
        strategy: Grid, Random or Bayesian.
        space: what to search.
        seed: of the tuning job.
        number: of the training job.
        results: of training jobs so far; those outside of the space do not count.
        maximize: whether a higher objective is better.
    """
    if strategy == "Grid":
        lists = [one.values for one in space]
        combination = next(itertools.islice(itertools.product(*lists), number, None))
        return dict(zip((one.name for one in space), combination, strict=True))
    return texts(space, _sample(strategy, space, _seed(seed, number), results, maximize=maximize))


def _sample(
    strategy: str, space: Space, seed: int, results: Sequence[Result], *, maximize: bool
) -> Mapping[str, Searched]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {one.name: one.distribution() for one in space}
    sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed=seed)
    if strategy == "Bayesian":
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_RANDOM_STARTS)
    # A study for each choice: nothing has to survive a restart, or is shared between threads.
    study = optuna.create_study(sampler=sampler, direction="maximize" if maximize else "minimize")
    for result in results:
        values = read_all(space, result.values)
        if values is not None:
            trial = optuna.trial.create_trial(params=values, distributions=distributions, value=result.objective)
            study.add_trial(trial)
    chosen: Mapping[str, Searched] = study.ask(distributions).params
    return chosen


def _seed(seed: int, number: int) -> int:
    """Return a seed of 32 bits; those of neighbours have nothing in common."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{number}".encode()).digest()[:4])
