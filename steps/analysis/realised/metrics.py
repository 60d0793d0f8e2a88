"""What CloudWatch gets of realised errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.realised.sums import Sums, Table, by_version
from analysis.runtime.metrics import Datum, datum, in_calls

_FIGURES = {"RealisedCoverage": "coverage", "RealisedMae": "mae", "RealisedRmse": "rmse"}


def metric_data(table: Table, pipeline: str, least_rows: int) -> Iterator[Sequence[Datum]]:
    """Yield calls of PutMetricData for the newest results: of all versions together, and of each.

    Figures of fewer rows than `least_rows` say little, and raise no alarm: of those there is only RealisedRows.
    """
    versions = by_version(table)
    of_pipeline = {"Name": "Pipeline", "Value": pipeline}
    data = _data(sum(versions.values(), Sums()), [of_pipeline], least_rows)
    for version, sums in versions.items():
        data += _data(sums, [of_pipeline, {"Name": "Version", "Value": version}], least_rows)
    yield from in_calls(data)


def _data(sums: Sums, dimensions: list[dict[str, str]], least_rows: int) -> list[Datum]:
    data = [datum("RealisedRows", float(sums.rows), dimensions, "Count")]
    if sums.rows >= max(least_rows, 1):
        data += [datum(name, sums.figures[figure], dimensions) for name, figure in _FIGURES.items()]
    return data
