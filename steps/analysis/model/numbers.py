"""Named columns of numbers in memory, for steps that do without pandas, whose import takes longer than their work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from analysis.model.artefact import Floats


class Features(Protocol):
    """n rows of named columns: what a DataFrame of pandas and :class:`Numbers` have in common."""

    @property
    def columns(self) -> Iterable[str]:
        """The names."""

    def __getitem__(self, rows: Any, /) -> Self:
        """Return the successive rows of a slice."""

    def take(self, rows: Any, /) -> Self:
        """Return the rows at these positions, in their order."""

    def to_numpy(self, dtype: Any) -> Floats:
        """Return the values, of shape (n, columns)."""


@dataclass(frozen=True)
class Numbers:
    """Rows of named columns; values: of shape (n, columns)."""

    columns: tuple[str, ...]
    values: Floats

    def __getitem__(self, rows: slice, /) -> Numbers:
        """Return the successive rows of a slice."""
        return Numbers(self.columns, self.values[rows])

    def take(self, rows: NDArray[np.intp], /) -> Numbers:
        """Return the rows at these positions, in their order."""
        return Numbers(self.columns, self.values[rows])

    def to_numpy(self, dtype: type[np.float64] = np.float64) -> Floats:
        """Return the values."""
        return self.values.astype(dtype, copy=False)
