"""Checksums of S3 objects, computed while the bytes are read, or combined from the checksums of an object's parts.

CRC32, SHA1 and SHA256 are computed for everything, CRC32C and CRC64NVME for small contents, and for large ones if
``awscrt`` is installed. Without it the value that a client sends is stored and returned, but not verified.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import importlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Protocol

try:
    _crt: Any = importlib.import_module("awscrt.checksums")
except ImportError:
    _crt = None

#: Bits and reflected polynomial of each CRC ("Checking object integrity in Amazon S3").
_CRC = {
    "CRC32": (32, 0xEDB88320),
    "CRC32C": (32, 0x82F63B78),
    "CRC64NVME": (64, 0x9A6C9329AC4BC9B5),
}
_HASHES = ("SHA1", "SHA256")
ALGORITHMS = (*_CRC, *_HASHES)
# What Python computes in a few milliseconds.
_SMALL_BYTES = 1 << 16


class Digest(Protocol):
    """A checksum of bytes that come in pieces."""

    def update(self, piece: bytes, /) -> object:
        """Add the next bytes."""

    def digest(self) -> bytes:
        """Return the checksum of all bytes so far."""


class _Crc:
    def __init__(self, step: Callable[[bytes, int], int], bits: int) -> None:
        self._step = step
        self._bits = bits
        self._value = 0

    def update(self, piece: bytes) -> None:
        self._value = self._step(piece, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._bits // 8, "big")


def new_digest(algorithm: str, length: int) -> Digest | None:
    """Return an empty digest, or None if the checksum cannot be computed here.

    Args:
        algorithm: as S3 spells it, one of :data:`ALGORITHMS`.
        length: the number of bytes that will be added.
    """
    if algorithm in _HASHES:
        return hashlib.new(algorithm, usedforsecurity=False)
    if algorithm == "CRC32":
        return _Crc(binascii.crc32, 32)
    if _crt is not None and algorithm in _CRC:
        step = _crt.crc32c if algorithm == "CRC32C" else _crt.crc64nvme
        return _Crc(step, _CRC[algorithm][0])
    if algorithm in _CRC and length <= _SMALL_BYTES:
        return _Crc(_in_python(*_CRC[algorithm]), _CRC[algorithm][0])
    return None


@cache
def _in_python(bits: int, polynomial: int) -> Callable[[bytes, int], int]:
    table = []
    for byte in range(256):
        row = byte
        for _ in range(8):
            row = (row >> 1) ^ (polynomial if row & 1 else 0)
        table.append(row)
    ones = (1 << bits) - 1

    def step(piece: bytes, value: int) -> int:
        value ^= ones
        for byte in piece:
            value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
        return value ^ ones

    return step


def checksum_of(pieces: Iterable[bytes], algorithm: str, length: int) -> bytes | None:
    """Return the checksum of joined pieces, or None if it cannot be computed.

    Args:
        pieces: the content.
        algorithm: as S3 spells it.
        length: the number of bytes in all.
    """
    digest = new_digest(algorithm, length)
    if digest is None:
        return None
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def encoded(value: bytes) -> str:
    """Return a checksum as S3 writes it."""
    return base64.b64encode(value).decode()


def combine_parts(algorithm: str, parts: Sequence[tuple[bytes, int]]) -> bytes | None:
    """Return the checksum of an object, computed from those of its parts; None if the algorithm is not a CRC.

    Args:
        algorithm: as S3 spells it.
        parts: checksum and length in bytes of each part, in order.
    """
    if algorithm not in _CRC:
        return None
    bits, polynomial = _CRC[algorithm]
    whole = 0
    for value, length in parts:
        whole = _product(_zeros(length, bits, polynomial), whole) ^ int.from_bytes(value, "big")
    return whole.to_bytes(bits // 8, "big")


@cache
def _zeros(length: int, bits: int, polynomial: int) -> tuple[int, ...]:
    """Return the matrix that appends ``length`` zero bytes to a checksum: that of one zero bit, to a power."""
    power = (polynomial, *(1 << bit for bit in range(bits - 1)))
    result = tuple(1 << bit for bit in range(bits))
    remaining = length * 8
    while remaining:
        if remaining & 1:
            result = tuple(_product(power, row) for row in result)
        power = tuple(_product(power, row) for row in power)
        remaining >>= 1
    return result


def _product(matrix: tuple[int, ...], vector: int) -> int:
    total, row = 0, 0
    while vector:
        if vector & 1:
            total ^= matrix[row]
        vector >>= 1
        row += 1
    return total
