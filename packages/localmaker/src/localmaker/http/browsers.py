"""What a browser may do here: nothing. Pages cannot use the endpoint, whichever site or bucket they come from.

The endpoint needs no credentials and runs programs, so any page that a developer opens could start one: by a request to
a loopback name, or by a DNS name of its own that it rebinds to 127.0.0.1. A request is served if it names a host that
is the endpoint's, and does not come from a page. What is served cannot act as a page of the endpoint's origin.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

_AUTHORITY = re.compile(r"(\[::1\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
# LocalStack's name resolves to 127.0.0.1; tools use it for buckets in host names.
_AWS_SUFFIXES = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".localhost.localstack.cloud")
_FOREIGN_SITES = frozenset({"cross-site", "same-site"})
# An uploaded page gets an origin of its own ("null") and runs no script; other sites cannot embed what is served.
_GUARDS = (
    ("Content-Security-Policy", "sandbox"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_REPLACED = frozenset(name.lower() for name, _ in _GUARDS)
_INVITATION = "access-control-"

StartResponse = Callable[..., Any]


def refusal(environ: Mapping[str, Any]) -> str | None:
    """Return why a request is not served; None if it is.

    Args:
        environ: the WSGI environment. Only ``Host``, ``Origin``, ``Referer`` and ``Sec-Fetch-Site`` count.
    """
    host = environ.get("HTTP_HOST", "127.0.0.1")
    is_local, is_aws = _kind_of(host)
    if not is_local and not is_aws:
        return f"the local AWS endpoint does not serve the host name {host[:100]!r}; use 127.0.0.1 or localhost"
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if is_aws and site is not None:
        return f"the local AWS endpoint serves the host name {host[:100]!r} to AWS's clients only, not to browsers"
    origin = environ.get("HTTP_ORIGIN")
    is_foreign = origin is not None and (is_aws or origin.lower() != f"http://{host.lower()}")
    if is_foreign or site in _FOREIGN_SITES or "HTTP_REFERER" in environ:
        return "web pages may not use the local AWS endpoint"
    return None


@lru_cache(1024)
def _kind_of(host: str) -> tuple[bool, bool]:
    """Return whether a ``Host`` is the loopback interface's, and whether it is one of AWS's."""
    found = _AUTHORITY.fullmatch(host.lower())
    if found is None:
        return False, False
    name = found[1]
    return name in _LOOPBACK or name.endswith(".localhost"), name.endswith(_AWS_SUFFIXES)


def guarded(start_response: StartResponse) -> StartResponse:
    """Return a ``start_response`` that keeps pages from using the answer, whatever its headers say."""

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        kept = [pair for pair in headers if not _is_replaced(pair[0].lower())]
        return start_response(status, [*kept, *_GUARDS], exc_info)

    return start


def _is_replaced(name: str) -> bool:
    return name in _REPLACED or name.startswith(_INVITATION)
