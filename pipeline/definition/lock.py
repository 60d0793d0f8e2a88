"""The libraries that steps need and the image lacks: ``steps/requirements.txt``, which names every file by its hash."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Lock:
    """A requirements file in which each line is a pin with the hashes of its files."""

    sha256: str  #: Of the text; 64 hexadecimal digits.
    pins: Mapping[str, frozenset[str]]  #: ``name==version`` → SHA-256 of its files for any platform.

    @classmethod
    def of(cls, text: str) -> Self:
        """Read a lock."""
        lines = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
        pins = {line.split()[0]: frozenset(_HASH.findall(line)) for line in lines}
        return cls(hashlib.sha256(text.encode()).hexdigest(), pins)

    @property
    def prefix(self) -> str:
        """S3 key prefix of the wheels in the artifacts bucket, without a slash at the end."""
        return f"wheels/{self.sha256}"
