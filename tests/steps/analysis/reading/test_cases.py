"""Files that uploaders sent in another dialect: each is taken with the values of the published table."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from analysis.reading.columns import TARGET, Purpose
from analysis.reading.limits import QualityLimits
from analysis.reading.quality import CheckedDays, check_days
from analysis.reading.table import read_table

CASES = Path(__file__).resolve().parents[5] / "shared" / "cases" / "inputs"


def checked(path: Path) -> CheckedDays:
    return check_days(read_table(path), Purpose.TRAINING, (TARGET,), QualityLimits())


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("eol_trailing_comma_row.csv", "1 line without a value left out, the first is line 732."),
        ("del_semicolon_decimal_comma.csv", "Numbers have a decimal comma in temp, atemp, hum, windspeed."),
        ("hdr_upper.csv", "Names of columns are written otherwise: 'INSTANT' is instant, "),
        ("hdr_one_case.csv", "Names of columns are written otherwise: 'Temp' is temp."),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_in_another_dialect_has_the_values_of_the_table(
    real_csv: Path, tmp_path: Path, name: str, note: str, compressed: bool
) -> None:  # fmt: skip
    path = CASES / name
    if not path.is_file():
        pytest.skip(f"the cases are not at {CASES}")
    if compressed:
        path = tmp_path / f"{name}.gz"
        path.write_bytes(gzip.compress((CASES / name).read_bytes()))
    found, expected = checked(path), checked(real_csv)
    assert len(found.days) == 730
    pd.testing.assert_frame_equal(found.days, expected.days, check_exact=True)
    assert any(sentence.startswith(note) for sentence in found.report["notes"])
