"""Predictions: the files, the newest ones, and how good they were."""

from typing import Annotated

import typer

from pipeline.cli.common import AsJson, Environment, SettingsFile, aws_of, console, print_json

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def predictions(
    context: typer.Context,
    env: Environment = None,
    settings_file: SettingsFile = None,
    rows: Annotated[int, typer.Option(min=0, max=1000, help="How many rows of the newest file to show.")] = 5,
    as_json: AsJson = False,
) -> None:
    """List prediction files. The newest is shown with its first rows."""
    if context.invoked_subcommand is not None:
        return
    from dataclasses import asdict

    from pipeline.results.predictions import first_rows, no_predictions, prediction_files, print_predictions

    aws = aws_of(env, settings_file)
    files = prediction_files(aws, aws.settings.predictions_bucket)
    if as_json:
        header, first = first_rows(aws, files[0], rows) if files else ([], [])
        print_json({"files": [{**asdict(file), "uri": file.uri} for file in files], "header": header, "rows": first})
        return
    if not files:
        typer.echo(no_predictions(aws))
        return
    print_predictions(aws, files[0], rows, console())
    for file in files[1:]:
        typer.echo(file.uri)


@app.command("latest")
def predictions_latest(
    env: Environment = None,
    settings_file: SettingsFile = None,
    rows: Annotated[int, typer.Option(min=0, max=1000, help="How many rows of each file to show.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Show the predictions of the newest upload, for each profile: where they are, drift, first rows, report."""
    from pipeline.results.predictions import first_rows, latest_files, no_predictions, print_predictions

    aws = aws_of(env, settings_file)
    found = latest_files(aws)
    if as_json:
        shown = [(file, manifest, first_rows(aws, file, rows)) for file, manifest in found]
        print_json(
            [
                {"uri": file.uri, "manifest": manifest, "header": header, "rows": first}
                for file, manifest, (header, first) in shown
            ]
        )
        return
    if not found:
        typer.echo(no_predictions(aws))
    for file, _ in found:
        print_predictions(aws, file, rows, console())


@app.command("score")
def predictions_score(
    profile: Annotated[str | None, typer.Option(help="Only predictions of this profile's versions.")] = None,
    env: Environment = None,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Compare predictions with outcomes that arrived later: errors and coverage, by version and over time."""
    from dataclasses import asdict

    from pipeline.errors import SettingsError
    from pipeline.results.realised import scores
    from pipeline.results.realised_text import print_scores

    aws = aws_of(env, settings_file)
    declared = aws.settings.declared.profiles
    if profile is not None and profile not in declared:
        raise SettingsError(f"There is no profile {profile!r}.", f"{aws.settings.dataset} has {', '.join(declared)}.")
    found = scores(aws, profile)
    if as_json:
        print_json(asdict(found))
    else:
        print_scores(found, aws.settings, profile, console())
