from __future__ import annotations

import pytest

from analysis.runtime.errors import SettingsError
from analysis.runtime.files import read_json, write_json


def test_errors_name_the_file(tmp_path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.json can't be read"):
        read_json(tmp_path / "absent.json")


def test_numbers_that_json_lacks_are_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json({"a": float("nan")}, tmp_path / "x.json")
