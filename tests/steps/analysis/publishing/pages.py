"""Pages of invented files, from one row to many, with all that a page may have to say."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from analysis.publishing.findings import expected_of
from analysis.publishing.manifest import Maker, Publication, manifest_of
from analysis.publishing.page import Scored, page
from analysis.publishing.places import places_of
from analysis.publishing.table import SameInAllRows, Table
from analysis.publishing.words import Words, words_of
from analysis.runtime.streams import GeneratedFile
from analysis.runtime.upload import claim_of

BIKES = {
    "title": "Bike sharing", "row": "day", "rows": "days", "target": "daily rentals", "unit": "rental",
    "units": "rentals", "limits": "It knows two years of one city.", "time": "date", "gaps_in": "days",
}  # fmt: skip
EVALUATION: dict[str, Any] = {
    "validation": {
        "headline": "chronological",
        "level": 0.95,
        "chronological": {
            "mae": 611.2, "rmse": 804.9, "r2": 0.81, "rows": 220,
            "intervals": {"calibrated": {"coverage": 0.959, "mean_width": 3200.0}},
        },
    }
}  # fmt: skip


def feature(name: str, psi: float, **changes: object) -> dict[str, object]:
    """Return what a block `drift` says of a feature."""
    return {
        "feature": name, "psi": psi, "chance": 0.1, "drifted": psi > 0.25, "used": True, "unseen": 0.0, "missing": 0.0,
        "missing_in_training": 0.0, "bins": [], **changes,
    }  # fmt: skip


def drift_of(*features: dict[str, object]) -> dict[str, object]:
    """Return a block `drift`."""
    drifted = [one["feature"] for one in features if one["drifted"]]
    return {
        "status": "compared", "reason": "", "threshold": 0.25, "rows": {"training": 510, "file": 60},
        "drifted": drifted, "features": list(features),
    }  # fmt: skip


@dataclass(frozen=True)
class File:
    """What a page is of. gap: of every third row, None for a model without a past; known: whether actual values are."""

    rows: int = 60
    key: str = "raw/scoring/next-month.csv"
    names: tuple[str, ...] = ("date",)
    first: str = "2026-01-01"
    cell: str = ""
    known: bool = False
    marks: tuple[str, ...] = ("0",)
    gap: int | None = None
    role: str = "new"
    status: str = "Approved"
    scale: float = 1000.0
    words: dict[str, Any] = field(default_factory=lambda: dict(BIKES))
    document: dict[str, Any] = field(default_factory=lambda: {"rows": {"read": 60, "used": 60}})
    evaluation: dict[str, Any] = field(default_factory=lambda: EVALUATION)

    def lines(self) -> tuple[Iterator[str], Iterator[str]]:
        """Return the lines of rows.csv and those of the transform's output."""
        chance, start = random.Random(self.rows), date.fromisoformat(self.first)
        values = [(2.0 + ((row * 7) % 365) / 200 + chance.gauss(0, 0.3)) * self.scale for row in range(self.rows)]
        beside = ["actual", *([] if self.gap is None else ["history_gap"]), "row_role"]

        def rows() -> Iterator[str]:
            yield ",".join([*self.names, *beside])
            for row, value in enumerate(values):
                name = self.cell or str(start + timedelta(days=row % 900_000))
                actual = f"{value + chance.gauss(0, 0.6) * self.scale:.1f}" if self.known else ""
                gap = [] if self.gap is None else [str(self.gap if row % 3 == 0 else 0)]
                yield ",".join([*([name] * len(self.names)), actual, *gap, self.role])

        predictions = (
            f"{value!r},{value - 1.5 * self.scale!r},{value + 1.5 * self.scale!r},{self.marks[row % len(self.marks)]}"
            for row, value in enumerate(values)
        )
        return rows(), predictions

    def scored(self) -> Scored:
        """Publish it into nothing, and return what its page is made of."""
        claim = claim_of("raw-bucket", self.key, "version-1", "2026-03-04T05:06:07.000Z")
        arn = "arn:aws:sagemaker:us-east-1:123456789012"
        maker = Maker(
            f"{arn}:model-package/bikes/7", f"{arn}:pipeline/bikes/execution/abc123", "forecast", self.status, ""
        )
        document = {"words": self.words, **self.document}
        words: Words = words_of(document)
        same = SameInAllRows("7", "abc123", self.key, self.status, claim.uploaded_at)
        table = Table(*self.lines(), same, words.time)
        file = GeneratedFile(table.pieces())
        while file.read(1 << 20):
            pass
        places = places_of("s3://predictions", "forecast", claim)
        manifest = manifest_of(Publication(claim, places, maker, document, self.evaluation), table, file)
        return Scored(manifest, document, words, table.observed, expected_of(self.evaluation))

    def html(self) -> str:
        """Return its page."""
        return page(self.scored()).decode("utf-8")

    def but(self, **changes: Any) -> File:
        """Return the same with some changes."""
        return replace(self, **changes)
