"""The connection of a notebook to its repository, made again with a credential that is no part of a backup."""

from __future__ import annotations

import shlex
from urllib.parse import urlsplit

from pipeline.aws.clients import Aws
from pipeline.errors import DeploymentError
from pipeline.source_control.connection import Connection, connect, wanted
from pipeline.source_control.credential import Credential

#: What is the same in another account; network, key and role are those of its settings.
_KEPT = ("branch", "notebook", "instance_type", "volume_gib", "git_host")


def is_of_server(connected: str, url: str) -> bool:
    """Say whether a URL is of the server of another one, whose credential may be for both repositories."""
    try:
        return _server(connected) == _server(url) != ""
    except ValueError:
        return False


def _server(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "ssh":
        return parts.hostname or ""
    # user@host:path is ssh, too.
    return parts.netloc.lower() or url.partition("@")[2].partition(":")[0].lower()


def reconnect(
    aws: Aws, connection: Connection, credential: Credential | None, environment: str
) -> tuple[str, str] | None:
    """Connect as it was; return why that could not be done, and the command that does it, None where it is done."""
    url, kept = connection.url, {name: getattr(connection, name) for name in _KEPT}
    try:
        connect(aws, wanted(aws.settings, url, **kept), credential)
    except DeploymentError as error:
        words = ["python", "scripts/connect_github.py", url, "--env", environment]
        for name, value in kept.items():
            words += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
        return error.message, shlex.join(words)
    return None
