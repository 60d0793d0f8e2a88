from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.runtime.files import read_frame
from analysis.runtime.tables import write_table


def test_whole_numbers_stay_whole_beside_empty_cells(tmp_path) -> None:
    table = pa.table({"count": pa.array([1, None], pa.int64()), "heat": [0.1, None], "land": ["far south", None]})
    write_table(table, tmp_path / "new" / "rows.csv")
    assert (tmp_path / "new" / "rows.csv").read_bytes() == b"count,heat,land\n1,0.1,far south\n,,\n"
    write_table(table, tmp_path / "bare.csv", header=False)
    assert (tmp_path / "bare.csv").read_bytes() == b"1,0.1,far south\n,,\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_every_float_keeps_its_bits(tmp_path: Path, values: list[float]) -> None:
    write_table(pa.table({"heat": values}), tmp_path / "rows.csv")
    read = read_frame(tmp_path / "rows.csv")["heat"].astype(float)
    assert [value.hex() for value in read] == [value.hex() for value in values]
