from __future__ import annotations

import sys
from pathlib import Path

import pytest

from analysis.runtime.container import Arguments, existing_file, made_directory, run_step
from analysis.runtime.errors import InputError, Problem, SettingsError, StepError


def call(monkeypatch, tmp_path: Path, step, *arguments: str) -> str:
    message = tmp_path / "out" / "message"
    message.parent.mkdir(exist_ok=True)
    monkeypatch.setattr(sys, "argv", ["step.py", *arguments])
    with pytest.raises(SystemExit) as end:
        run_step(step, message)
    assert end.value.code == 1
    return message.read_text(encoding="utf-8")


def failing(text: str):
    def step(arguments) -> None:
        raise StepError(text)

    return step


def test_the_message_is_cut_to_what_sagemaker_keeps_without_breaking_a_character(monkeypatch, tmp_path) -> None:
    message = call(monkeypatch, tmp_path, failing("ü" * 2000))
    assert message == "ü" * 500


@pytest.mark.parametrize("form", [["--message-file", "{}"], ["--message-file={}"]])
def test_the_message_goes_where_the_call_says(monkeypatch, tmp_path, form: list[str]) -> None:
    target = tmp_path / "elsewhere"
    monkeypatch.setattr(sys, "argv", ["step.py", *(part.format(target) for part in form)])
    with pytest.raises(SystemExit):
        run_step(failing("no"), tmp_path / "message")
    assert target.read_text() == "no"


def test_a_bug_is_raised_on_and_leaves_its_short_form(monkeypatch, tmp_path) -> None:
    def step(arguments) -> None:
        raise KeyError("x")

    monkeypatch.setattr(sys, "argv", ["step.py"])
    with pytest.raises(KeyError):
        run_step(step, tmp_path / "message")
    assert (tmp_path / "message").read_text().startswith("Unexpected KeyError: 'x'")


def test_a_message_that_can_not_be_written_does_not_hide_the_reason(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["step.py"])
    with pytest.raises(SystemExit):
        run_step(failing("the reason"), tmp_path)
    error = capsys.readouterr().err
    assert "the reason" in error
    assert "could not be written" in error


def test_wrong_arguments_are_a_settings_error(tmp_path) -> None:
    parser = Arguments("text", tmp_path)
    parser.add_argument("--number", type=int)
    with pytest.raises(SettingsError, match="invalid int value"):
        parser.parse_args(["--number", "x"])


def test_a_missing_file_is_reported_with_what_is_there(tmp_path) -> None:
    with pytest.raises(SettingsError, match=r"holds: nothing"):
        existing_file(tmp_path / "a.csv", "The file")
    (tmp_path / "b.csv").touch()
    with pytest.raises(SettingsError, match=r"The file is missing: .*a\.csv .*holds: b\.csv"):
        existing_file(tmp_path / "a.csv", "The file")
    assert existing_file(tmp_path / "b.csv", "The file") == tmp_path / "b.csv"


def test_a_directory_that_can_not_be_made_is_named(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="file/below"):
        made_directory(tmp_path / "file" / "below")


def test_problems_name_their_place() -> None:
    error = InputError("a.csv", [Problem("bad", 3, "temp"), Problem("worse"), Problem("x", column="cnt")])
    expected = "a.csv: line 3, column temp: bad; worse; column cnt: x. Correct the file and upload it again."
    assert str(error) == expected
