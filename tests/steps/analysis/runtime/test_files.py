from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.runtime.errors import SettingsError
from analysis.runtime.files import read_frame, write_json
from analysis.runtime.tables import write_table

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=30))
def test_floats_keep_every_bit_through_csv(tmp_path, values) -> None:
    path = tmp_path / "frame.csv"
    write_table(pa.table([*zip(*values, strict=True)], names=["a", "b"]), path)
    assert [value.hex() for value in read_frame(path).astype(float).to_numpy().ravel().tolist()] == [
        value.hex() for row in values for value in row
    ]


def test_files_are_the_same_on_every_system(tmp_path) -> None:
    path = tmp_path / "deep" / "frame.csv"
    write_table(pa.table({"a": [1], "ü": ["x"]}), path, header=True)
    assert path.read_bytes() == "a,ü\n1,x\n".encode()


def test_empty_text_cells_stay_empty(tmp_path) -> None:
    path = tmp_path / "frame.csv"
    path.write_text("a,b\n007,\nNA,1\n")
    assert read_frame(path, text=True).to_dict("list") == {"a": ["007", "NA"], "b": ["", "1"]}


def test_errors_name_the_file(tmp_path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.csv can't be read"):
        read_frame(tmp_path / "absent.csv")


def test_numbers_that_json_lacks_are_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json({"a": float("nan")}, tmp_path / "x.json")
