"""The local endpoint as this project starts it: its port, and the packages that the step scripts need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.definition.bundle import REQUIREMENTS_FILE
from pipeline.errors import LocalEndpointUnavailableError
from pipeline.settings.environment import load_settings

if TYPE_CHECKING:
    from rich.console import Console

_DEFAULT_PORT = 4566


def configured_port() -> int:
    """Return the port of the ``local`` environment's ``endpoint_url``."""
    url = load_settings("local").endpoint_url
    return (urlsplit(url).port if url else None) or _DEFAULT_PORT


def start_endpoint(console: Console) -> None:
    """Prepare what jobs run in and start the endpoint in the background; one that runs already is left as it is.

    Raises:
        LocalEndpointUnavailableError: it is not installed, or did not start; the message says why.
    """
    with _local_errors():
        from localmaker import cli, daemon

        cli.prepare_environments(console, [REQUIREMENTS_FILE])
        daemon.up(configured_port(), on_ready=lambda running: cli.show_ready(console, running))


def stop_endpoint() -> None:
    """Stop the endpoint and its jobs.

    Raises:
        LocalEndpointUnavailableError: it does not run, or did not stop.
    """
    with _local_errors():
        from localmaker import daemon

        daemon.down()


@contextmanager
def _local_errors() -> Iterator[None]:
    try:
        from localmaker.errors import LocalmakerError
    except ModuleNotFoundError as error:
        raise missing_endpoint() from error
    try:
        yield
    except LocalmakerError as error:
        raise LocalEndpointUnavailableError(str(error)) from error


def missing_endpoint() -> LocalEndpointUnavailableError:
    """Say that the endpoint's package is not installed."""
    return LocalEndpointUnavailableError(
        "The local AWS endpoint is not installed.", hint="pip install 'bikeshare-pipeline[local]'"
    )
