"""The model registry: list, approve, rollback, reject, delete, compare, card."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.common import AsJson, Environment, SettingsFile, aws_of, console, group, print_json, write_file

if TYPE_CHECKING:
    from pipeline.aws.clients import Aws
    from pipeline.results.decisions import Removal

app = group("The model registry, and which version is in use.")

Version = Annotated[int, typer.Argument(min=1, help="Number of the version.")]
Reason = Annotated[str, typer.Option(help="Stored with the version, for whoever asks why.")]
Group = Annotated[
    str | None, typer.Option("--group", help="Model package group, by default the one of the environment.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("list")
def model_list(
    name: Group = None, env: Environment = None, settings_file: SettingsFile = None, as_json: AsJson = False
) -> None:
    """List registered versions, newest first. The arrow marks the one in use, which scores.

    With metrics, profile and data of each; who decided what, when and why; and whether it was better than the version
    in use on the same rows.
    """
    from pipeline.results.model_files import read_evaluations
    from pipeline.results.registry import model_command, versions

    aws = aws_of(env, settings_file)
    of_group = _group_of(aws, name)
    found = versions(aws, of_group)
    evaluations = read_evaluations(aws, found)
    if as_json:
        blocks = [evaluation.get("previous_model") for evaluation in evaluations]
        print_json([{**asdict(version), "previous_model": block} for version, block in zip(found, blocks, strict=True)])
        return
    if not found:
        typer.echo(f"No version is registered yet. See how executions ended: {aws.settings.command('runs')}")
        return
    from pipeline.results.model_tables import print_versions

    print_versions(found, evaluations, console())
    if not any(version.in_use for version in found):
        typer.echo(f"No version is in use. Put one in use: {model_command(aws, of_group, 'approve VERSION')}")


@app.command("approve")
def model_approve(
    version: Version,
    *,
    reason: Reason = "",
    name: Group = None,
    env: Environment = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Approve a version and put it in use: files are scored with it from now on."""
    from pipeline.results.decisions import approve

    aws = aws_of(env, settings_file)
    decided = approve(aws, _group_of(aws, name), version, reason)
    print_json(asdict(decided)) if as_json else typer.echo(f"Version {version} is Approved and in use.")


@app.command("rollback")
def model_rollback(
    reason: Reason = "",
    name: Group = None,
    env: Environment = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Put the version in use again that was in use before. Once more goes further back."""
    from pipeline.results.decisions import roll_back

    aws = aws_of(env, settings_file)
    decided, left = roll_back(aws, _group_of(aws, name), reason)
    if as_json:
        print_json({**asdict(decided), "instead_of": left.version})
    else:
        typer.echo(f"Version {decided.version} is in use again, instead of version {left.version}.")


@app.command("reject")
def model_reject(
    version: Version,
    reason: Annotated[str, typer.Option(help="Why; stored with the version, and shown by `list`.")],
    *,
    yes: Yes = False,
    name: Group = None,
    env: Environment = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Reject a version: nothing is scored with it. Asks where it is in use, and says what scores instead."""
    from pipeline.results.decisions import consequence, reject

    if not reason.strip():
        raise typer.BadParameter("say why", param_hint="--reason")
    aws = aws_of(env, settings_file)
    of_group = _group_of(aws, name)
    removal = consequence(aws, of_group, version)
    _agree(removal, "Reject it?", yes=yes)
    decided = reject(aws, of_group, version, reason)
    _report(aws, of_group, f"Version {version} is Rejected.", removal, asdict(decided) if as_json else None)


@app.command("delete")
def model_delete(
    version: Version,
    *,
    yes: Yes = False,
    name: Group = None,
    env: Environment = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Delete a version from the registry. Its number is not used again. Asks where it is in use."""
    from pipeline.results.decisions import consequence, delete

    aws = aws_of(env, settings_file)
    of_group = _group_of(aws, name)
    removal = consequence(aws, of_group, version)
    _agree(removal, "Delete it?", yes=yes)
    delete(aws, removal.version)
    document = asdict(removal.version) | {"deleted": True} if as_json else None
    _report(aws, of_group, f"Version {version} is deleted.", removal, document)


@app.command("compare")
def model_compare(
    left: Annotated[int, typer.Argument(min=1, metavar="A", help="Number of a version.")],
    right: Annotated[int, typer.Argument(min=1, metavar="B", help="Number of the other one.")],
    *,
    name: Group = None,
    env: Environment = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Set two versions side by side: what they are of, metrics, coefficients. Differences are B less A."""
    from pipeline.results.model_comparison import compare, side_of
    from pipeline.results.model_tables import print_comparison
    from pipeline.results.registry import numbered, versions

    aws = aws_of(env, settings_file)
    of_group = _group_of(aws, name)
    known = versions(aws, of_group)
    sides = [side_of(aws, numbered(known, number, aws, of_group)) for number in (left, right)]
    found = compare(*sides)
    print_json(found.as_json()) if as_json else print_comparison(found, console())


@app.command("card")
def model_card(
    version: Version,
    file: Annotated[Path | None, typer.Argument(help="With --pdf: file; by default <name of the card>.pdf.")] = None,
    *,
    pdf: Annotated[bool, typer.Option("--pdf", help="Export the card, and download the PDF.")] = False,
    timeout_seconds: Annotated[float, typer.Option(min=1, help="Of the export.")] = 600,
    name: Group = None,
    env: Environment = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the model card of a version: what it is for, how it was trained, how well it does. --pdf: as a PDF."""
    from pipeline.results.registry import card

    if file is not None and not pdf:
        raise typer.BadParameter("it is for --pdf", param_hint="FILE")
    if file is not None and not file.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {file.parent}", param_hint="FILE")
    aws = aws_of(env, settings_file)
    package_group = _group_of(aws, name)
    if pdf:
        from pipeline.aws.states import Waiting
        from pipeline.results.cards import exported_card

        waiting = Waiting(timeout_seconds, lambda state: typer.echo(f"export: {state}", err=True))
        exported = exported_card(aws, package_group, version, waiting)
        path = file or Path(f"{exported.name}.pdf")
        write_file(path, exported.pdf)
        found = {"file": str(path), "uri": exported.uri, "card": exported.name}
        print_json(found) if as_json else typer.echo(f"{path}: {exported.name}, from {exported.uri}")
        return
    content = card(aws, package_group, version)
    if as_json:
        print_json(content)
    elif content:
        from pipeline.results.card_text import print_card

        print_card(f"Version {version} of {package_group}", content, console())
    else:
        typer.echo(f"Version {version} of {package_group} has no model card: whoever registered it gave it none.")


def _group_of(aws: Aws, name: str | None) -> str:
    return name or aws.settings.model_package_group_name


def _agree(removal: Removal, question: str, *, yes: bool) -> None:
    """Ask where the version is in use; without somebody to ask, refuse."""
    from pipeline.errors import RegistryError

    if yes or not removal.question:
        return
    if not sys.stdin.isatty():
        raise RegistryError(f"{removal.question} Nothing was changed: nobody is there to ask.", "If so, add --yes.")
    typer.confirm(f"{removal.question} {question}", abort=True, err=True)


def _report(aws: Aws, of_group: str, done: str, removal: Removal, document: dict[str, Any] | None) -> None:
    """Say what was done and what scores now, which is looked up: somebody else may have decided meanwhile."""
    from pipeline.results.registry import versions

    scores = next((one.version for one in versions(aws, of_group) if one.in_use), None)
    if document is not None:
        print_json({**document, "scores_now": scores})
        return
    now = ""
    if removal.version.in_use:
        now = f" Version {scores} is in use now." if scores else " No version is in use."
    typer.echo(f"{done}{now}")
