"""Each kind of bad file: the execution fails with the reason, nothing is half-written, the raw file stays as it was."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bad-input")]


def edited(text: str, row: int, column: str, value: str) -> str:
    """Change one cell of the table; rows count from 1 after the header."""
    lines = text.splitlines()
    position = lines[0].split(",").index(column)
    cells = lines[row].split(",")
    cells[position] = value
    lines[row] = ",".join(cells)
    return "\n".join(lines) + "\n"


def without_column(text: str, column: str) -> str:
    lines = [line.split(",") for line in text.splitlines()]
    position = lines[0].index(column)
    return "\n".join(",".join(cells[:position] + cells[position + 1 :]) for cells in lines) + "\n"


def with_column_emptied(text: str, column: str) -> str:
    lines = [line.split(",") for line in text.splitlines()]
    position = lines[0].index(column)
    for cells in lines[1:]:
        cells[position] = ""
    return "\n".join(",".join(cells) for cells in lines) + "\n"


def repeated_day(text: str) -> str:
    return edited(text, 8, "dteday", text.splitlines()[7].split(",")[1])


def repeated_row(text: str) -> str:
    lines = text.splitlines()
    return "\n".join([*lines[:6], lines[5], *lines[6:]]) + "\n"


def line_break_in_quotes(text: str) -> str:
    lines = text.splitlines()
    cells = lines[3].split(",")
    cells[2] = '"1\n1"'
    return "\n".join([*lines[:3], ",".join(cells), *lines[4:]]) + "\n"


def every_day_the_same(text: str) -> str:
    """Give each day the weather and the counts of the first."""
    header, first, *others = text.splitlines()
    start = header.split(",").index("weathersit")
    same = first.split(",")[start:]
    return "\n".join([header, first, *(",".join([*line.split(",")[:start], *same]) for line in others)]) + "\n"


def absurd_count(text: str) -> str:
    """Give one day a count that no city has; it is the sum of its parts."""
    for column, value in (("casual", "0"), ("registered", "900000000001"), ("cnt", "900000000001")):
        text = edited(text, 50, column, value)
    return text


# name → how the good sample is spoilt, and the step that finds it after Preprocess.
FOUND_LATER = {"every day the same": (every_day_the_same, "Train"), "absurd count": (absurd_count, "QualityGateFailed")}

# name → how the good sample is spoilt, and what the reason has to name.
CASES = {
    "empty file": (lambda text: b"", ["empty"]),
    "header only": (lambda text: text.splitlines()[0].encode() + b"\n", ["header"]),
    "missing column": (lambda text: without_column(text, "windspeed").encode(), ["windspeed"]),
    "text in a number column": (lambda text: edited(text, 3, "temp", "warm").encode(), ["temp", "line 4", "warm"]),
    "impossible date": (lambda text: edited(text, 4, "dteday", "31-02-18").encode(), ["dteday", "line 5", "31-02-18"]),
    "out of range": (lambda text: edited(text, 5, "season", "7").encode(), ["season", "line 6", "7"]),
    "unknown delimiter": (lambda text: text.replace(",", "~").encode(), ["line 1", "not a header line"]),
    "not UTF-8": (lambda text: text.replace("dteday", "d\u00fcteday").encode("latin-1"), ["UTF-8"]),
    "binary": (lambda text: bytes(range(256)) * 40, ["binary"]),
    "duplicate rows": (lambda text: repeated_row(text).encode(), ["line 7"]),
    "duplicate days": (lambda text: repeated_day(text).encode(), ["dteday", "line 9"]),
    "all-null column": (lambda text: with_column_emptied(text, "hum").encode(), ["hum"]),
    "quoted line break": (lambda text: line_break_in_quotes(text).encode(), ["line 4", "season"]),
    "one row": (lambda text: "\n".join(text.splitlines()[:2]).encode() + b"\n", ["1 usable row"]),
}


@pytest.fixture(scope="module")
def failed(deployed, sample_csv):
    """Every case uploaded in one burst; name → (key, body, ended execution)."""
    bodies = {name: spoil(sample_csv.decode()) for name, (spoil, _) in CASES.items()}
    versions = {name: deployed.put(key_of(name), body) for name, body in bodies.items()}
    arns = {name: deployed.started(key_of(name), version) for name, version in versions.items()}
    return {name: (key_of(name), bodies[name], deployed.finished(arn)) for name, arn in arns.items()}


def key_of(name: str) -> str:
    return f"raw/training/bad/{name}.csv"


@pytest.mark.parametrize("name", CASES)
def test_the_execution_fails_and_says_what_is_wrong_with_the_file(failed, name):
    _, _, execution = failed[name]
    assert execution.status == "Failed"
    reason = execution.explanation
    assert f"{name}.csv" in reason, reason
    for word in CASES[name][1]:
        assert word.lower() in reason.lower(), reason
    assert "Traceback" not in reason


@pytest.mark.parametrize("name", CASES)
def test_the_raw_file_is_untouched(deployed, failed, name):
    key, body, _ = failed[name]
    assert deployed.read(deployed.settings.raw_bucket, key) == body


@pytest.fixture(scope="module")
def failed_later(deployed, failed, sample_csv):
    """Upload what only training or the gate refuses; name → ended execution."""
    bodies = {name: spoil(sample_csv.decode()).encode() for name, (spoil, _) in FOUND_LATER.items()}
    versions = {name: deployed.put(key_of(name), body) for name, body in bodies.items()}
    return {name: deployed.finished(deployed.started(key_of(name), version)) for name, version in versions.items()}


@pytest.mark.parametrize("name", FOUND_LATER)
def test_a_file_that_no_model_can_be_made_of_fails_before_anything_is_registered(failed_later, name):
    execution = failed_later[name]
    assert execution.status == "Failed"
    assert [step.name for step in execution.steps if step.status == "Failed"] == [FOUND_LATER[name][1]]
    assert "Traceback" not in execution.explanation


def test_nothing_is_half_written(deployed, failed, failed_later):
    assert deployed.predictions() == {}
    assert deployed.keys(deployed.settings.predictions_bucket) == []
    assert deployed.model_packages() == []
    for day in ("2018-01-01", "2018-02-19", "2019-12-31"):
        assert deployed.stored(day) == {}
    artifacts = deployed.keys(deployed.settings.artifacts_bucket, "runs/")
    worked = {execution.identifier for execution in failed_later.values()}
    assert {key.split("/")[1] for key in artifacts if "/Preprocess/" in key} == worked


def test_a_good_file_afterwards_works(deployed, failed, sample_csv):
    execution = deployed.run("raw/training/good.csv", sample_csv)
    assert execution.status == "Succeeded", execution.explanation


def test_watch_shows_the_log_and_the_reason_and_exits_with_six(deployed, failed):
    _, _, execution = failed["out of range"]
    done = deployed.command("watch", execution.arn, check=False)
    assert done.returncode == 6
    assert "The end of the log of Preprocess" in done.stdout
    assert "bikeshare logs" in done.stdout
    assert "Cost: nothing here; on AWS this time would be about $" in done.stdout
    (last_line,) = done.stderr.splitlines()
    assert "season" in last_line
    assert "Traceback" not in done.stdout + done.stderr


def test_an_execution_started_by_hand_can_be_stopped(deployed, failed, sample_csv):
    # A good file, which is at work for long enough, where no rule looks.
    key = "by-hand/days.csv"
    deployed.put(key, sample_csv)
    started = json.loads(deployed.command("start", key, "--json").stdout)["PipelineExecutionArn"]
    assert f"Stopping {started}" in deployed.command("stop").stdout
    assert deployed.finished(started).status == "Stopped"
    again = deployed.command("stop", started, check=False)
    assert (again.returncode, "has already ended: Stopped" in again.stderr) == (6, True)
    newest = deployed.command("stop", check=False)
    assert (newest.returncode, "is running or stopping" in newest.stderr) == (6, True)


def test_a_start_that_can_not_work_says_why(deployed, failed):
    key, _, _ = failed["out of range"]
    known = deployed.executions()
    for arguments, words in (
        ((key, "-p", "profil=parity"), "Did you mean Profile?"),
        ((key, "-p", "RandomState=many"), "RandomState has to be a number"),
        (("raw/training/nowhere.csv",), "There is no object s3://"),
    ):
        refused = deployed.command("start", *arguments, check=False)
        assert (refused.returncode, words in refused.stderr) == (6, True), refused.stderr
    assert deployed.executions() == known
