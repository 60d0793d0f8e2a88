"""What AWS clients find at the addresses that the environment gives them, where that is not the endpoint asked about.

``AWS_ENDPOINT_URL`` and its variants for single services outlive the endpoint that they were set for, so a command
about one state directory can concern another endpoint than the one that programs talk to.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from localmaker.state.directory import command_for

_VARIABLE = "AWS_ENDPOINT_URL"
_TIMEOUT_SECONDS = 1.0
_LONGEST_ANSWER = 1 << 16


class Found(StrEnum):
    """What answers at an address."""

    LOCALMAKER = "localmaker"
    LOCALSTACK = "LocalStack"
    MOTO = "moto"
    OTHER = "other"
    NOTHING = "nothing"
    REMOTE = "not this machine"
    INVALID = "not a URL"


_WORDS = {
    Found.LOCALSTACK: "where LocalStack answers",
    Found.MOTO: "where moto's server answers",
    Found.OTHER: "where something else answers",
    Found.NOTHING: "where nothing listens",
    Found.REMOTE: "which is not on this machine",
    Found.INVALID: "which is not a URL",
}


@dataclass(frozen=True)
class Elsewhere:
    """An address that is not that of the endpoint asked about.

    Attributes:
        variables: environment variables that name it.
        url: their value, without user and password.
        found: what answers there.
        state_dir: of the endpoint there, if it is one of localmaker's.
    """

    variables: tuple[str, ...]
    url: str
    found: Found
    state_dir: Path | None = None

    def __str__(self) -> str:
        named = f"{' and '.join(self.variables)} {'is' if len(self.variables) == 1 else 'are'} {self.url}"
        if self.state_dir is None:
            return f"{named}, {_WORDS[self.found]}."
        return (
            f"{named}: another local endpoint, with its state in {self.state_dir}. "
            f"To stop that one: {command_for('down', self.state_dir)}"
        )

    def described(self) -> dict[str, Any]:
        """Return it for scripts."""
        described: dict[str, Any] = {"variables": list(self.variables), "url": self.url, "found": str(self.found)}
        if self.state_dir is not None:
            described |= {"state_dir": str(self.state_dir), "stop": command_for("down", self.state_dir)}
        return described


def elsewhere(state_dir: Path, environment: Mapping[str, str] | None = None) -> list[Elsewhere]:
    """Return what the environment points at, without the endpoint of a state directory.

    Only addresses of this machine are asked, each for at most a few seconds.

    Args:
        state_dir: of the endpoint asked about.
        environment: variables; this process's by default.
    """
    variables = os.environ if environment is None else environment
    if variables.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return []
    named: dict[str, list[str]] = {}
    for name in sorted(variables):
        if (name == _VARIABLE or name.startswith(f"{_VARIABLE}_")) and variables[name]:
            named.setdefault(variables[name], []).append(name)
    found = (Elsewhere(tuple(names), _without_user(url), *_find(url)) for url, names in named.items())
    return [one for one in found if one.state_dir is None or one.state_dir.resolve() != state_dir.resolve()]


def _find(url: str) -> tuple[Found, Path | None]:
    """Return what answers at a URL, and the state directory of an endpoint of localmaker's."""
    address = _address(url)
    if address is None:
        return Found.INVALID, None
    if not _is_loopback(address.hostname or ""):
        return Found.REMOTE, None
    try:
        return _ask(address)
    except ConnectionRefusedError:
        return Found.NOTHING, None
    except (OSError, http.client.HTTPException):
        return Found.OTHER, None


def _without_user(url: str) -> str:
    """Return a value without what may be a password: what is before the last @, but the scheme."""
    scheme, slashes, rest = url.partition("://")
    if not slashes or "@" in scheme:
        return url.rpartition("@")[2]
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _address(url: str) -> SplitResult | None:
    try:
        address = urlsplit(url)
        _ = address.port  # checked only when it is asked for
    except ValueError:
        return None
    return address if address.hostname and address.scheme in ("http", "https") else None


def _ask(address: SplitResult) -> tuple[Found, Path | None]:
    health = _json(address, "/_local/health") or {}
    state_dir = health.get("state_dir")
    # It is printed, and another program may answer anything.
    if isinstance(state_dir, str) and state_dir.isprintable():
        return Found.LOCALMAKER, Path(state_dir)
    for path, found in (("/_localstack/health", Found.LOCALSTACK), ("/moto-api/config", Found.MOTO)):
        if _json(address, path) is not None:
            return found, None
    return Found.OTHER, None


def _json(address: SplitResult, path: str) -> dict[str, Any] | None:
    """Return the JSON object that a path answers; None if it answers something else.

    Raises:
        ConnectionRefusedError: nothing listens.
        OSError, http.client.HTTPException: something listens, and does not answer.
    """
    # LocalStack and proxies may speak TLS, localmaker does not: where this fails, it is none of localmaker's.
    connection = http.client.HTTPConnection(_host(address), address.port or 80, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(_LONGEST_ANSWER)
        content = json.loads(text) if answer.status < http.HTTPStatus.MULTIPLE_CHOICES else None
    except ValueError:
        return None
    finally:
        connection.close()
    return content if isinstance(content, dict) else None


def _host(address: SplitResult) -> str:
    host = address.hostname or ""
    # Few resolvers know the names below localhost, which RFC 6761 gives to the loopback interface.
    return "localhost" if host.endswith(".localhost") else host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
