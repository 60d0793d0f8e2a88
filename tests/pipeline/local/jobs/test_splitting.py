"""Cutting objects into requests: nothing is lost, lines stay whole, limits hold."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.local.jobs import splitting
from pipeline.local.jobs.failures import JobFailure

MEGABYTE = 1024 * 1024


def parts(content, split_type="Line", strategy="MultiRecord", limit_mb=1):
    return list(splitting.split(io.BytesIO(content), split_type, strategy, limit_mb))


@given(st.binary(), st.integers(1, 50))
def test_blocks_are_whole_lines_within_the_limit(content, limit):
    try:
        found = list(splitting._blocks(io.BytesIO(content), limit, 1))
    except JobFailure:
        assert max(len(line) for line in content.splitlines(keepends=True) or [content]) > limit or any(
            len(line) + 1 > limit for line in content.split(b"\n")
        )
        return
    assert b"".join(found) == content
    assert all(0 < len(block) <= limit for block in found)
    assert all(block.endswith(b"\n") for block in found[:-1])


@given(st.binary())
def test_single_records_are_the_lines(content):
    found = parts(content, strategy="SingleRecord")
    assert b"".join(found) == content
    assert all(line.count(b"\n") <= 1 for line in found)


def test_as_many_lines_as_fit():
    line = b"x" * 999 + b"\n"
    found = parts(line * 3000)
    assert [len(block) for block in found] == [1_048_000, 1_048_000, 904_000]


def test_record_of_exactly_the_limit_fits_and_one_byte_more_does_not():
    assert [len(block) for block in parts(b"x" * MEGABYTE)] == [MEGABYTE]
    for strategy in ("MultiRecord", "SingleRecord"):
        with pytest.raises(JobFailure, match="a record is larger"):
            parts(b"x" * (MEGABYTE + 1), strategy=strategy)


def test_whole_object():
    assert parts(b"a\nb", "None") == [b"a\nb"]
    assert parts(b"", "None") == []
    with pytest.raises(JobFailure, match="object is larger"):
        parts(b"x" * (MEGABYTE + 1), "None")


@pytest.mark.parametrize("split_type", ["None", "Line"])
def test_no_limit_is_one_request(split_type):
    assert parts(b"x\n" * MEGABYTE, split_type, limit_mb=0) == [b"x\n" * MEGABYTE]
