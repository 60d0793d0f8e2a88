"""Data sets: a declaration drafted from a file, and checked."""

from pathlib import Path
from typing import Annotated

import typer

from analysis.runtime.project import NAME
from pipeline.cli.common import AsJson, console, group, print_json, write_file

app = group("Declare a table: draft its declaration from a CSV file, check it.")

Declaration = Annotated[Path, typer.Argument(help="TOML file, such as datasets/red_wine.toml.")]
File = Annotated[Path | None, typer.Argument(help="CSV file, to say what it would meet.")]


@app.command()
def check(declaration: Declaration, file: File = None, as_json: AsJson = False) -> None:
    """Check a declaration. Names file, line and field of all that is wrong, and what a CSV file would meet."""
    from dataclasses import asdict

    from pipeline.datasets.files import check_file
    from pipeline.datasets.toml import comment
    from pipeline.datasets.validation import read_declaration
    from pipeline.errors import DeclarationError, InputFileError

    try:
        dataset = read_declaration(declaration)
    except DeclarationError as error:
        if as_json:
            print_json({"problems": [asdict(problem) for problem in error.problems]})
        raise
    if not as_json:
        columns = f"{len(dataset.columns)} columns, target {comment(dataset.target)}"
        typer.echo(f"{declaration}: {dataset.name}, {columns}, profiles: {comment(', '.join(dataset.profiles))}.")
    report = None if file is None else check_file(dataset, file)
    if as_json:
        print_json({"problems": [], "name": dataset.name, "file": None if report is None else asdict(report)})
    elif report is not None:
        what = "only to score" if report.scores_only else "to train on, or to score"
        rows = "" if report.rows is None else f"{report.rows} rows, "
        typer.echo(f"{file}: {rows}{len(report.columns)} of these columns; {what}.")
        for name, header in report.columns.items():
            called = "" if name == header else f", called {header!r}"
            typer.echo(f"  {comment(name)}: {dataset.columns[name].kind}{called}")
        if report.unknown:
            typer.echo(f"  ignored: {comment(', '.join(report.unknown))}")
        for note in report.notes:
            typer.echo(f"  {comment(note)}")
    if report is not None and report.problems:
        raise InputFileError(f"{file} would be refused: {'; '.join(report.problems)}")


@app.command()
def draft(
    file: Annotated[Path, typer.Argument(help="CSV file.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="New file, such as datasets/wine.toml; by default the screen.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the data set, by default the file's.")] = None,
    target: Annotated[str | None, typer.Option(help="Column to predict, by default the last one of numbers.")] = None,
) -> None:
    """Draft a declaration from a CSV file. What was guessed is marked for review."""
    from pipeline.datasets.draft import draft as draft_of
    from pipeline.errors import OutputFileError

    if output is not None and output.exists():
        raise OutputFileError(f"{output} is there already.", "Give another path with --output, or remove it.")
    drafted = draft_of(file, name, target)
    if output is None:
        typer.echo(drafted.text, nl=False)
    else:
        write_file(output, drafted.text.encode())
    dataset, terminal = drafted.dataset, console(errors=True)
    key = " and ".join(dataset.key) or "none"
    terminal.print(
        f"{file}: {drafted.rows} rows, {len(dataset.columns)} columns; target: {dataset.target}, key: {key}, "
        f"time: {dataset.time or 'none'}.\n"
        f"{drafted.reviews} guesses are marked '# review:'. Look at each, then run: {NAME} dataset check "
        f"{output or 'FILE'} {file}",
        markup=False,
        soft_wrap=True,
    )
