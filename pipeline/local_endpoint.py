"""The local endpoint as this project starts it: its port, and the packages that the step scripts need."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from rich.console import Console

from analysis.runtime.project import DISTRIBUTION
from pipeline.definition.bundle import REQUIREMENTS_FILE
from pipeline.errors import LocalEndpointUnavailableError
from pipeline.settings.environment import load_settings

_DEFAULT_PORT = 4566


def configured_port() -> int:
    """Return the port of the ``local`` environment's ``endpoint_url``."""
    url = load_settings("local").endpoint_url
    return (urlsplit(url).port if url else None) or _DEFAULT_PORT


@contextmanager
def local_endpoint(console: Console, *, keep_up: bool) -> Iterator[None]:
    """Prepare what jobs run in, start the endpoint in the background unless it runs, and stop it unless ``keep_up``.

    Raises:
        LocalEndpointUnavailableError: it is not installed, or did not start or stop; the message says why.
    """
    try:
        from localmaker import cli, daemon
        from localmaker.errors import LocalmakerError
    except ModuleNotFoundError as error:
        raise missing_endpoint() from error
    try:
        cli.prepare_environments(console, [REQUIREMENTS_FILE])
        running = daemon.up(configured_port(), on_ready=lambda running: cli.show_ready(console, running))
        if running is not None and running.enforces_iam:
            os.environ.update(daemon.credentials(running).variables())
        yield
        if not keep_up:
            daemon.down()
            console.print("The local AWS endpoint is down.")
    except LocalmakerError as error:
        raise LocalEndpointUnavailableError(str(error)) from error


def missing_endpoint() -> LocalEndpointUnavailableError:
    """Return the error that says how to install the endpoint."""
    return LocalEndpointUnavailableError(
        "The local AWS endpoint is not installed.", hint=f"pip install '{DISTRIBUTION}[local]'"
    )
