"""Rows to learn from, in batches that can be read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.model.artefact import Floats
from analysis.model.numbers import Features
from analysis.runtime.errors import TrainingError

Times = NDArray[np.generic]
"""When each row happened: anything that sorts, shape (n,); ISO dates do."""


@dataclass(frozen=True)
class Rows:
    """n rows of inputs, unscaled, with their target.

    names: of the inputs. target: its name. batches: starts a pass; yields arrays of shape (m, inputs + 1), the target
    last, in the same order on each pass. times: None for rows without one.
    """

    names: tuple[str, ...]
    target: str
    count: int
    batches: Callable[[], Iterable[Floats]]
    times: Times | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of a batch's columns."""
        return (*self.names, self.target)

    def finite_batches(self) -> Iterator[Floats]:
        """Yield the batches of a pass; raise TrainingError where a column has something else than finite numbers."""
        for batch in self.batches():
            finite = np.isfinite(batch).all(axis=0)
            if not finite.all():
                name = self.columns[int(finite.argmin())]
                raise TrainingError(f"{name} has a cell that is not a finite number. Prepare the file again.")
            yield batch


def rows_of_frame(features: Features, target: ArrayLike, times: Times | None = None) -> Rows:
    """Return the rows of a table in memory, with their target of shape (n,), as one batch."""
    values = np.column_stack([features.to_numpy(dtype=np.float64), np.asarray(target, dtype=np.float64)])
    name = str(getattr(target, "name", "target"))
    return Rows(tuple(map(str, features.columns)), name, len(values), lambda: [values], times)
