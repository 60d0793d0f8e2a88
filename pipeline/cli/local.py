"""``bikeshare local …``: the local endpoint's own commands, with this project's port and requirements as defaults."""

from __future__ import annotations

import typer

from pipeline.cli.common import group

_HELP = "The local AWS endpoint (the command localmaker, with this project's port and packages)."


def _defaults(context: typer.Context) -> None:
    from pipeline.definition.bundle import REQUIREMENTS_FILE
    from pipeline.local_endpoint import configured_port

    requirements = [str(REQUIREMENTS_FILE)]
    context.default_map = {
        "prepare": {"requirements": requirements},
        "up": {"requirements": requirements, "port": configured_port()},
    }


def _not_installed() -> None:
    from pipeline.local_endpoint import missing_endpoint

    raise missing_endpoint()


def _app() -> typer.Typer:
    try:
        from localmaker import cli
    except ModuleNotFoundError:
        absent = group(_HELP)
        absent.callback(invoke_without_command=True)(_not_installed)
        return absent
    commands = group(_HELP)
    commands.callback()(_defaults)
    commands.registered_commands = cli.app.registered_commands
    return commands


app = _app()
