"""Files that commands write where they are told to."""

from __future__ import annotations

import pytest

from pipeline.cli.common import write_file
from pipeline.errors import OutputFileError


def test_a_file_is_written_as_it_is(tmp_path):
    write_file(tmp_path / "x.json", "ü\n".encode())
    assert (tmp_path / "x.json").read_bytes() == "ü\n".encode()


def test_a_file_that_can_not_be_written_is_named(tmp_path):
    with pytest.raises(OutputFileError, match=r"none/x\.json can't be written: No such file or directory") as caught:
        write_file(tmp_path / "none" / "x.json", b"{}")
    assert caught.value.exit_code == 7
