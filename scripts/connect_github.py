"""Connect a notebook instance to a repository on GitHub: it pulls on every start, and never loses local work.

Makes a secret with the credential, a code repository, a lifecycle configuration whose script pulls in the background,
a role, and the notebook instance, or associates one that is there. Shows what would change, and asks. The credential is
read from a prompt, a file or an environment variable, tried on the server, and goes to Secrets Manager only.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "steps"))

from rich.console import Console

from pipeline.aws.states import Waiting
from pipeline.deploy.engine.planner import Plan
from pipeline.deploy.engine.rendering import created_lines, field_lines, print_change, print_removal, replacement_lines
from pipeline.deploy.engine.resource import Action
from pipeline.errors import DeploymentError
from pipeline.preflight.answers import has_problem, lines
from pipeline.settings.environment import load_settings
from pipeline.source_control import connection as connections
from pipeline.source_control.access import operator_permissions
from pipeline.source_control.credential import (
    Credential,
    credential_from_file,
    credential_from_variable,
    credential_of,
)
from pipeline.source_control.names import Names
from pipeline.source_control.repository import GITHUB
from scripts.lib.program import ScriptError, add_environment, aws_of, program_parser, progress_of, run_program

EXAMPLES = """\
examples:
  python scripts/connect_github.py https://github.com/acme/template.git --env dev
  python scripts/connect_github.py https://github.com/acme/template.git --env dev --notebook adas-notebook --yes \\
    --credential-file ~/.github-token
  python scripts/connect_github.py status --env dev --json
  python scripts/connect_github.py rotate --env dev
  python scripts/connect_github.py disconnect --env dev
  python scripts/connect_github.py permissions --env dev

exit codes: 0 done (status: connected as it should be), 2 wrong call (status: something differs; connect --plan: there
are changes), 3 wrong settings, 5 refused by AWS, by the Git server or by nobody's consent, 7 no credential to be read,
1 anything else
"""
_SECONDS = 1800


def credential_from(request: argparse.Namespace) -> Credential | None:
    """Return the credential of the file or the variable that was named, None where none was."""
    if request.credential_file is not None:
        return credential_from_file(request.credential_file)
    if request.credential_variable is not None:
        return credential_from_variable(request.credential_variable)
    return None


def credential_from_prompt() -> Credential:
    """Ask for a token without showing it.

    Raises:
        ScriptError: nobody is there to answer.
    """
    if not sys.stdin.isatty():
        raise ScriptError("A credential is needed.", "Give --credential-file or --credential-variable.")
    return credential_of(getpass.getpass("Token: "), "the prompt")


def agree(question: str, *, yes: bool) -> None:
    """Ask before something is changed.

    Raises:
        DeploymentError: nobody agreed.
    """
    if yes:
        return
    print(f"{question} [y/N]: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise DeploymentError("Nothing was changed: nobody has agreed.", "Answer y, or give --yes.")


def show(found: Plan, console: Console, *, full: bool) -> None:
    """Print what would change, field by field; ``full`` shows every field of what would be created."""
    for change in found.changes:
        if change.action is Action.KEEP:
            continue
        print_change(change, console)
        created = created_lines(change.resource) if full and change.action is Action.CREATE else []
        for line in [*created, *(line for item in change.differences for line in field_lines(item))]:
            console.print(f"      {line}", markup=False, soft_wrap=True)
    for line in replacement_lines(found):
        console.print(line, markup=False, soft_wrap=True)
    if notebook := connections.stops(found):
        text = (
            f"Notebook instance {notebook} is stopped for this, and started again if it runs: kernels end, files stay."
        )
        console.print(text, markup=False, soft_wrap=True)


def connect(request: argparse.Namespace) -> int:
    """Connect, after showing what that changes."""
    credential = credential_from(request)  # first: a variable goes out of what we start
    aws, console = aws_of(request.env), Console(highlight=False)
    settings = aws.settings
    wanted = connections.wanted(
        settings,
        request.url,
        branch=request.branch,
        notebook=request.notebook,
        instance_type=request.instance_type,
        volume_gib=request.volume_gib,
        role_arn=request.role_arn,
        git_host=request.git_host,
    )
    name = wanted.notebook or Names(settings).notebook
    waiting = Waiting(request.timeout_seconds, progress_of(name))
    found = connections.plan(aws, wanted)
    if found.is_empty:
        print(f"No changes: {name} is connected to {wanted.url}, branch {wanted.branch}.")
        return 0
    show(found, console, full=request.full)
    told = connections.answers(aws, wanted)
    if told:
        print("\n".join(lines(told)))
    if request.plan:
        return 2
    if has_problem(told):
        raise DeploymentError("Nothing was changed: the notebook could not pull.", "Correct the problems above.")
    if connections.needs_credential(found):
        credential = credential or credential_from_prompt()
    elif credential is not None:
        raise ScriptError("There is a credential already.", "Change it: python scripts/connect_github.py rotate")
    agree("Connect?", yes=request.yes)
    unsure = connections.connect(
        aws, wanted, credential, progress=lambda change: print_change(change, console), waiting=waiting
    )
    print(f"Connected: {name} pulls {wanted.branch} of {wanted.url} on every start.")
    if unsure:
        print(unsure)
    return 0


def status(request: argparse.Namespace) -> int:
    """Print the connection as it is."""
    found = connections.status(aws_of(request.env))
    if request.json:
        print(json.dumps(found, indent=2, default=str))
    elif found.get("url") is None:
        print("Not connected.")
    else:
        print(f"{found['url']}, branch {found['branch']}")
        print(f"notebook instance {found['notebook']}: {found['notebook_status'] or 'not there'}")
        print(f"secret {found['secret']}: changed {found['credential_changed'] or 'never: it is not there'}")
        for item in found["differences"]:
            print(f"to {item['action']}: {item['kind']} {item['name']} {', '.join(item['fields'])}".rstrip())
    return 0 if found["connected"] and not found["differences"] else 2


def rotate(request: argparse.Namespace) -> int:
    """Put another credential into the secret."""
    credential = credential_from(request)
    aws = aws_of(request.env)
    unsure = connections.rotate(aws, credential or credential_from_prompt())
    print(f"Rotated: notebooks read the new credential from {Names(aws.settings).secret} when they next need it.")
    if unsure:
        print(unsure)
    return 0


def disconnect(request: argparse.Namespace) -> int:
    """Remove what connect has made."""
    aws, console = aws_of(request.env), Console(highlight=False)
    found = connections.current(aws)
    name = (found and found.notebook) or Names(aws.settings).notebook
    fate = "removed WITH ITS VOLUME" if request.delete_notebook else "stopped, freed, and started again if it runs"
    agree(
        f"Remove the connection of environment {aws.settings.environment!r}? Notebook instance {name} is {fate}; the "
        f"secret can be restored for {connections.RECOVERY_DAYS} days.",
        yes=request.yes,
    )
    waiting = Waiting(request.timeout_seconds, progress_of(name))
    connections.disconnect(
        aws,
        delete_notebook=request.delete_notebook,
        progress=lambda resource, removal: print_removal(resource, console, removal),
        waiting=waiting,
    )
    return 0


def permissions(request: argparse.Namespace) -> int:
    """Print the policy that whoever runs this needs."""
    print(json.dumps(operator_permissions(load_settings(request.env)), indent=2))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = program_parser(__doc__, EXAMPLES)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    actions = (connect, status, rotate, disconnect, permissions)
    made = {one.__name__: commands.add_parser(one.__name__, help=one.__doc__) for one in actions}
    for name, one in made.items():
        add_environment(one)
        if name in {"connect", "rotate"}:
            given = one.add_mutually_exclusive_group()
            given.add_argument("--credential-file", type=Path, help="token or JSON, in a file that is yours alone")
            given.add_argument("--credential-variable", metavar="NAME", help="environment variable that has it")
        if name in {"connect", "disconnect"}:
            one.add_argument("--yes", action="store_true", help="do not ask")
            one.add_argument("--timeout-seconds", type=float, default=_SECONDS, help="of each wait (default: 1800)")
    one = made["connect"]
    one.add_argument("url", help=f"https://{GITHUB}/OWNER/NAME.git")
    one.add_argument("--branch", default="main", help="branch that is pulled (default: main)")
    one.add_argument("--notebook", help="notebook instance (default: the environment's own, which is created)")
    one.add_argument("--instance-type", help="such as ml.t3.large")
    one.add_argument("--volume-gib", type=int, help="size of its volume")
    one.add_argument("--role-arn", help="role of the instance that exists; its permissions are checked")
    one.add_argument("--git-host", default=GITHUB, help="server of GitHub Enterprise that is trusted")
    one.add_argument("--plan", action="store_true", help="only show what would change")
    one.add_argument("--full", action="store_true", help="also show every field of what would be created")
    made["status"].add_argument("--json", action="store_true", help="print JSON for scripts")
    made["disconnect"].add_argument("--delete-notebook", action="store_true", help="remove the instance and its work")
    return parser


def main(arguments: Sequence[str]) -> None:
    """Run the program; without the name of a command it connects."""
    commands = {one.__name__: one for one in (connect, status, rotate, disconnect, permissions)}
    if arguments and arguments[0] not in {*commands, "-h", "--help"}:
        arguments = ["connect", *arguments]
    request = _parser().parse_args(arguments)
    if code := commands[request.command](request):
        raise SystemExit(code)


if __name__ == "__main__":
    run_program(main)
