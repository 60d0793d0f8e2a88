"""Realised errors as people read them in a terminal of 80 columns."""

from rich.console import Console
from rich.table import Table

from pipeline.results.realised import Figures, ProfileScore, Promise, Scores
from pipeline.settings.contract import FLOWS, upload_prefix
from pipeline.settings.environment import Settings

_WITHOUT_KEY = (
    "The table has no key: outcomes and predictions are joined by the identifiers of their rows (column record), which "
    "are made of all inputs of a row. A change in any input makes another row, whose outcome measures no prediction."
)
#: Decimals of errors: enough digits to compare them, whatever the unit.
_LARGE = 100.0
_ENOUGH = 30


def print_scores(found: Scores, settings: Settings, profile: str | None, console: Console) -> None:
    """Print the realised figures, or what has to happen before there are any."""
    if not found.profiles:
        _say(console, *_nothing_yet(found, settings, profile))
    for one in found.profiles:
        _print_profile(one, settings, console)
    if found.profiles:
        how = f"Rows are joined by {', '.join(found.joined_by)}." if found.has_key else _WITHOUT_KEY
        _say(console, "Only predictions that were published before an outcome of the row was uploaded count.", how)
        _say(console, *_cautions(found))


def _nothing_yet(found: Scores, settings: Settings, profile: str | None) -> list[str]:
    target, folders = settings.declared.target, " or ".join(upload_prefix(flow) for flow in FLOWS)
    of = f" of profile {profile}" if profile else ""
    names = ", ".join(found.joined_by)
    rows = f"for the same {names}" if found.has_key else "with exactly the same inputs"
    lines = [
        f"Nothing to compare yet: no outcome has arrived for a row that was predicted before{of}.",
        f"Needed is a file with the outcomes, the column {target}, {rows} as in a file that was scored without them.",
        f"Upload it under {folders} once the predictions are published.",
        f"What was predicted: {settings.command('predictions')}",
    ]
    return lines if found.has_key else [*lines, _WITHOUT_KEY]


def _cautions(found: Scores) -> list[str]:
    counts = [[version.figures.rows for version in profile.versions] for profile in found.profiles]
    lines = []
    if min(map(min, counts)) < _ENOUGH:
        lines.append(f"Figures of fewer than {_ENOUGH} rows say little: one row more or less changes them.")
    if max(map(len, counts)) > 1:
        lines.append("Each version is measured on the rows that it predicted: a difference may be one of the rows.")
    return lines


def _print_profile(score: ProfileScore, settings: Settings, console: Console) -> None:
    unit = settings.declared.words.unit.many
    console.print(f"Profile {score.profile}: realised errors of predictions, in {unit}", markup=False, style="bold")
    table = _table("version", "rows", "covered", "MAE", "RMSE", "mean error")
    for one in score.versions:
        table.add_row(one.version, *_cells(one.figures))
        table.add_row("  promised", *_promised(one.promised))
    console.print(table)
    console.print()
    over_time = _table(score.period, "version", "rows", "covered", "MAE", "RMSE", "mean error")
    for period, version, figures in sorted(
        (period, one.version, figures) for one in score.versions for period, figures in one.over_time.items()
    ):
        over_time.add_row(period, version, *_cells(figures))
    console.print(over_time)
    console.print()


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for index, name in enumerate(columns):
        table.add_column(name, justify="right" if index else "left", no_wrap=True)
    return table


def _cells(figures: Figures) -> list[str]:
    errors = (figures.mae, figures.rmse, figures.mean_error)
    return [f"{figures.rows:,}", f"{figures.coverage:.1%}", *map(_number, errors)]


def _promised(promise: Promise | None) -> list[str]:
    if promise is None:
        return ["unknown", "", "", "", ""]
    return [promise.figure, f"{promise.coverage:.1%}", _number(promise.mae), _number(promise.rmse), ""]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= _LARGE else f"{value:#.3g}"


def _say(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(line, markup=False)
