"""The rows of a table as a triangle of as many rows as there are columns, which says the same to least squares.

R of a QR factorisation of [1, X, y] by Householder reflections, tile by tile, then of the tiles' triangles (tall-skinny
QR; Demmel, Grigori, Hoemmen, Langou, "Communication-optimal parallel and sequential QR and LU factorizations", SIAM
Journal on Scientific Computing 34, 2012). Factors of parts merge into that of the whole, in whatever order, so one pass
over batches is enough and memory depends on the columns alone. Unlike the normal equations it never squares the
condition number. Columns are shifted by the mean of the first rows: the constant and a column that is large beside its
spread are nearly dependent, and the shift is undone in the small triangle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.model.artefact import Floats
from analysis.model.threads import in_order

_TILE = 2048
"""Rows of a tile: with some dozens of columns it fits the cache of a core."""
_MERGED_TOGETHER = 256

Parts = NDArray[np.int8]
"""Which part of the table each row belongs to, shape (n,)."""


@dataclass(frozen=True)
class Factor:
    """A triangular factor of rows.

    rows: how many. shift: what each of the k columns was lowered by, shape (k,). triangle: R of [1, columns - shift],
    shape (at most k + 1, k + 1); the last column is the target. low, high: smallest and largest value of each column.
    """

    rows: int
    shift: Floats
    triangle: Floats
    low: Floats
    high: Floats

    @property
    def means(self) -> Floats:
        """Return the mean of each column, shape (k,)."""
        means: Floats = self.shift + self.triangle[0, 1:] / self.triangle[0, 0]
        return means

    @property
    def centred(self) -> Floats:
        """Return the factor of the columns with their means taken off, shape (at most k, k): it has no constant."""
        return self.triangle[1:, 1:]

    def scaled(self, positions: Sequence[int], low: Floats, width: Floats) -> Floats:
        """Return the factor of [1, (columns - low) / width] of some columns; low, width: of those columns."""
        chosen = [position + 1 for position in positions]
        raised = self.triangle[:, chosen] + self.triangle[:, :1] * (self.shift[list(positions)] - low)
        return np.column_stack([self.triangle[:, 0], raised / width])


def factor_of(values: Floats, shift: Floats) -> Factor:
    """Factorise rows that are in memory, of shape (n, k) with n >= 1."""
    design = np.empty((len(values), values.shape[1] + 1))
    design[:, 0] = 1.0
    np.subtract(values, shift, out=design[:, 1:])
    return Factor(len(values), shift, triangle_of(design), values.min(axis=0), values.max(axis=0))


def merged(factors: Iterable[Factor]) -> Factor:
    """Return the factor of all rows of one or several factors with the same columns."""
    parts = list(factors)
    shift = parts[0].shift
    triangles = []
    for part in parts:
        triangle = part.triangle.copy()
        triangle[:, 1:] += triangle[:, :1] * (part.shift - shift)
        triangles.append(triangle)
    return Factor(
        rows=sum(part.rows for part in parts),
        shift=shift,
        triangle=triangle_of(np.vstack(triangles)),
        low=np.vstack([part.low for part in parts]).min(axis=0),
        high=np.vstack([part.high for part in parts]).max(axis=0),
    )


def triangle_of(matrix: Floats) -> Floats:
    """Return R of matrix = QR, of at most as many rows as `matrix` has columns."""
    tiles, width = len(matrix) // _TILE, matrix.shape[1]
    if tiles > 1:
        full = matrix[: tiles * _TILE].reshape(tiles, _TILE, width)
        triangles = np.linalg.qr(full, mode="r").reshape(-1, width)
        matrix = np.vstack([triangles, matrix[tiles * _TILE :]])
    triangle: Floats = np.linalg.qr(matrix, mode="r")
    return triangle


def factors_of(batches: Iterable[Floats], parts: Parts | None = None) -> dict[int, Factor]:
    """Factorise all batches in one pass, the rows of each part by themselves; by default all are part 0.

    At least one batch, and none without a row. Batches are factorised in threads and merged in their order.
    """
    found: dict[int, list[Factor]] = {}
    for count, factors in enumerate(in_order(_factorised, _with_parts(batches, parts)), 1):
        for part, factor in factors.items():
            found.setdefault(part, []).append(factor)
        if count % _MERGED_TOGETHER == 0:
            found = {part: [merged(several)] for part, several in found.items()}
    return {part: merged(found[part]) for part in sorted(found)}


_Batch = tuple[Floats, Floats, Parts | None]


def _with_parts(batches: Iterable[Floats], parts: Parts | None) -> Iterator[_Batch]:
    """Yield each batch with the shift, which all have in common, and the parts of its rows."""
    start, shift = 0, None
    for batch in batches:
        shift = batch.mean(axis=0) if shift is None else shift
        yield batch, shift, None if parts is None else parts[start : start + len(batch)]
        start += len(batch)


def _factorised(batch: _Batch) -> dict[int, Factor]:
    values, shift, parts = batch
    if parts is None:
        return {0: factor_of(values, shift)}
    return {int(part): factor_of(values[parts == part], shift) for part in np.unique(parts)}
