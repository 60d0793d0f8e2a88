"""The local endpoint's own commands (``local …``), with this project's port and requirements as defaults."""

from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from pipeline.cli.common import group

app = group("The local AWS endpoint. It is the command localmaker with this project's port and packages.")


class _NotInstalled(TyperGroup):
    """Says how to install the endpoint, whatever it is asked."""

    def parse_args(self, _context: Any, _arguments: list[str]) -> NoReturn:
        from pipeline.local_endpoint import missing_endpoint

        raise missing_endpoint()


def _set_defaults(context: typer.Context) -> None:
    from pipeline.definition.bundle import REQUIREMENTS_FILE
    from pipeline.local_endpoint import configured_port

    # The others need neither, and work also where the settings are wrong.
    if context.invoked_subcommand in ("prepare", "up"):
        defaults: dict[str, Any] = {"requirements": [str(REQUIREMENTS_FILE)]}
        if context.invoked_subcommand == "up":
            defaults["port"] = configured_port()
        context.default_map = {context.invoked_subcommand: defaults}


try:
    from localmaker import cli
except ModuleNotFoundError:
    app.info.cls = _NotInstalled
    app.callback()(lambda: None)
else:
    app.callback()(_set_defaults)
    app.registered_commands = cli.app.registered_commands
