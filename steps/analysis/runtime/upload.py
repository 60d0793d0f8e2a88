"""Whether the file that arrived is the upload that the execution was started for.

The claim decides on an ETag, but the job downloads whatever the key holds some seconds later. For ordinary uploads the
ETag is the MD5 of the bytes, so a replaced file shows. It proves nothing the other way: with KMS encryption or a
multipart upload the ETag is no MD5 of the file. A difference is therefore reported, and fails nothing; the file that
replaced this one has an execution of its own.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

_MD5 = re.compile(r"[0-9a-f]{32}")


def upload_report(data: bytes, etag: str) -> dict[str, Any]:
    """{"etag", "md5", "same"}; same is None where the ETag can't tell (empty, or of a multipart upload)."""
    plain = etag.strip().strip('"')
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return {"etag": plain or None, "md5": digest, "same": plain == digest if _MD5.fullmatch(plain) else None}
