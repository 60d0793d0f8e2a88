"""A patch of moto: keys of objects may contain line breaks.

- moto: a request for such a key finds no route, and the answer is 404 without a body.
- S3: a key is any text of up to 1,024 bytes in UTF-8 ("Naming Amazon S3 objects" in the user guide).
- Replaced: ``url_paths`` of ``moto.s3.models.S3Backend``, in whose patterns a dot matches everything but a line break.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.s3.models import S3Backend

# Flask's routes are made of these patterns, and allow no parentheses, hence no flag, in a group.
_ANYTHING = r"[\s\S]"


def install() -> None:
    """Replace it for the whole process; a second call changes nothing."""
    S3Backend.url_paths = property(_url_paths)


def _url_paths(backend: Any) -> dict[str, Callable[..., Any]]:
    # moto's own property, which S3Backend inherits.
    paths: dict[str, Callable[..., Any]] = super(S3Backend, backend).url_paths
    return {
        path.replace(">.+)", f">{_ANYTHING}+)").replace(">/.*)", f">/{_ANYTHING}*)"): handler
        for path, handler in paths.items()
    }
