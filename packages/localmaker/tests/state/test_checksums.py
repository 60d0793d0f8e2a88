"""Checksums against published check values, and combined from those of parts."""

from __future__ import annotations

import binascii
import os

import pytest

from localmaker.state.checksums import ALGORITHMS, checksum_of, combine_parts, encoded, new_digest

#: The check values that the catalogue of cyclic redundancy checks gives for these nine bytes, and their hashes.
CHECK = b"123456789"
VALUES = {
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "SHA1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "SHA256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_check_values(algorithm: str) -> None:
    for pieces in ([CHECK], [CHECK[:4], b"", CHECK[4:]]):
        found = checksum_of(pieces, algorithm, len(CHECK))
        assert found is not None
        assert found.hex() == VALUES[algorithm]


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
def test_the_checksum_of_an_object_follows_from_those_of_its_parts(algorithm: str) -> None:
    parts = [os.urandom(length) for length in (5000, 5000, 1, 0, 777)]
    known = []
    for part in parts:
        value = checksum_of([part], algorithm, len(part))
        assert value is not None
        known.append((value, len(part)))
    assert combine_parts(algorithm, known) == checksum_of(parts, algorithm, sum(map(len, parts)))


def test_hashes_combine_parts_say_nothing_of_the_whole() -> None:
    assert combine_parts("SHA256", [(b"x" * 32, 1)]) is None


def test_a_large_content_is_checked_as_far_as_this_is_fast() -> None:
    assert new_digest("CRC32", 1 << 40) is not None
    assert new_digest("SHA256", 1 << 40) is not None
    assert new_digest("unknown", 1) is None


def test_as_s3_writes_it() -> None:
    assert encoded(binascii.crc32(b"").to_bytes(4, "big")) == "AAAAAA=="
