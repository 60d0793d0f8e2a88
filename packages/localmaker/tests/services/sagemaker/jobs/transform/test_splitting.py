"""Splitting objects into requests: nothing is lost, records stay whole, limits hold."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localmaker.services.sagemaker.jobs.failures import JobFailure
from localmaker.services.sagemaker.jobs.transform import splitting

MEGABYTE = 1024 * 1024
MAGIC = struct.pack("<I", 0xCED7230A)


def record_io(content, part=0):
    return MAGIC + struct.pack("<I", part << 29 | len(content)) + content + b"\0" * (-len(content) % 4)


def masked(content):
    """TFRecord's checksum, computed bit by bit."""
    value = 0xFFFFFFFF
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0x82F63B78 * (value & 1)
    value ^= 0xFFFFFFFF
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def tf_record(content):
    length = struct.pack("<Q", len(content))
    return length + masked(length) + content + masked(content)


FRAMES = {"RecordIO": record_io, "TFRecord": tf_record}


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


@pytest.mark.parametrize("split_type", FRAMES)
@given(contents=st.lists(st.binary(max_size=20)))
def test_framed_records_are_sent_whole_and_in_order(split_type, contents):
    frames = [FRAMES[split_type](content) for content in contents]
    assert parts(b"".join(frames), split_type, "SingleRecord") == contents
    assert b"".join(parts(b"".join(frames), split_type)) == b"".join(frames)


@pytest.mark.parametrize("split_type", FRAMES)
def test_as_many_framed_records_as_fit(split_type):
    frame = FRAMES[split_type](b"x" * 300_000)
    assert parts(frame * 7, split_type) == [frame * 3, frame * 3, frame]
    assert parts(frame * 7, split_type, limit_mb=0) == [frame * 7]


@pytest.mark.parametrize("split_type", FRAMES)
def test_framed_record_over_the_limit_fails(split_type):
    frame = FRAMES[split_type](b"x" * MEGABYTE)
    assert parts(frame, split_type, "SingleRecord") == [b"x" * MEGABYTE]
    with pytest.raises(JobFailure, match="a record is larger"):
        parts(frame, split_type)
    with pytest.raises(JobFailure, match="a record is larger"):
        parts(FRAMES[split_type](b"x" * (MEGABYTE + 1)), split_type, "SingleRecord")


def test_record_io_in_parts_is_one_record_with_the_magic_number_where_it_was_cut():
    frames = record_io(b"abcd", 1) + record_io(b"", 2) + record_io(b"ef", 3)
    content = b"abcd" + MAGIC + MAGIC + b"ef"
    assert parts(frames + record_io(b"g"), "RecordIO", "SingleRecord") == [content, b"g"]
    assert parts(frames + record_io(b"g"), "RecordIO") == [frames + record_io(b"g")]


@pytest.mark.parametrize(
    ("split_type", "content", "detail"),
    [
        ("RecordIO", b"1,2,3\n4,5,6\n", "magic number"),
        ("RecordIO", MAGIC, "magic number"),
        ("RecordIO", record_io(b"abc")[:-1], "ends within"),
        ("RecordIO", record_io(b"abc", 3), "not in order"),
        ("RecordIO", record_io(b"abcd", 1) + record_io(b"abcd"), "not in order"),
        ("RecordIO", record_io(b"abcd", 1), "magic number"),
        ("TFRecord", b"1,2,3\n4,5,6\n", "length's checksum"),
        ("TFRecord", tf_record(b"abc")[:7], "length's checksum"),
        ("TFRecord", tf_record(b"abc")[:-1], "ends within"),
        ("TFRecord", tf_record(b"abc")[:-5] + b"x" + tf_record(b"abc")[-4:], "content does not have its checksum"),
    ],
)
def test_what_is_not_framed_fails_with_the_records_number(split_type, content, detail):
    whole = FRAMES[split_type](b"first")
    with pytest.raises(JobFailure, match=f"record 2 of the object is not {split_type}: .*{detail}"):
        parts(whole + content, split_type, "SingleRecord")
