"""S3 objects that are larger than memory: read line by line, written from a generator."""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import HTTPClientError, IncompleteReadError

from analysis.runtime.aws import aws_call
from analysis.runtime.errors import PublishError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK_BYTES = 8 << 20
_DECODED_BYTES = 256 << 10
"""At a time: lines as objects take several times their size."""
_ATTEMPTS = 5
"""For a body whose connection breaks; the calls themselves are repeated by the client."""


def lines_of(s3: S3Client, bucket: str, key: str) -> Iterator[str]:
    """Yield the lines of an object in UTF-8 without their ends, of one version of it, holding a few MiB at a time.

    Raises PublishError where it is not UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    rest = ""
    try:
        for chunk in _chunks(s3, bucket, key):
            for start in range(0, len(chunk), _DECODED_BYTES):
                text = decoder.decode(chunk[start : start + _DECODED_BYTES])
                *whole, rest = (rest + text).split("\n")
                yield from whole
        rest += decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise PublishError(f"s3://{bucket}/{key} is not UTF-8 ({error}).") from error
    if rest:
        yield rest


def _chunks(s3: S3Client, bucket: str, key: str) -> Iterator[bytes]:
    with aws_call(f"Reading s3://{bucket}/{key}"):
        head = s3.head_object(Bucket=bucket, Key=key)
        size, etag = head["ContentLength"], head["ETag"]
        for start in range(0, size, _CHUNK_BYTES):
            yield _range(s3, bucket, key, etag, f"bytes={start}-{min(start + _CHUNK_BYTES, size) - 1}")


def _range(s3: S3Client, bucket: str, key: str, etag: str, part: str) -> bytes:
    for attempt in range(1, _ATTEMPTS + 1):
        answer = s3.get_object(Bucket=bucket, Key=key, Range=part, IfMatch=etag)
        try:
            return answer["Body"].read()
        except (HTTPClientError, IncompleteReadError):
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


class GeneratedFile(io.RawIOBase):
    """A file that is read once, whose content a generator makes; it counts and hashes what was read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """SHA-256 of what was read so far, in hexadecimal digits."""
        return self._digest.hexdigest()

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes, fewer only at the end; all that are left where it is negative."""
        parts, length = [self._rest], len(self._rest)
        while size < 0 or length < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            parts.append(piece)
            length += len(piece)
        content = b"".join(parts)
        content, self._rest = (content, b"") if size < 0 else (content[:size], content[size:])
        self._digest.update(content)
        self.size += len(content)
        return content


def put_stream(s3: S3Client, bucket: str, key: str, file: Any, content_type: str) -> None:
    """Put a readable file into S3 in parts; where reading it fails, nothing appears under the key."""
    # Without threads, which would read ten parts ahead.
    settings = TransferConfig(multipart_threshold=_CHUNK_BYTES, multipart_chunksize=_CHUNK_BYTES, use_threads=False)
    with aws_call(f"Writing s3://{bucket}/{key}"):
        s3.upload_fileobj(file, bucket, key, ExtraArgs={"ContentType": content_type}, Config=settings)
