"""What is made of a report of moto's suites."""

from __future__ import annotations

from pathlib import Path

import pytest
from compatibility import moto_suites
from compatibility.moto_suites import Kind, Outcome, Suites

REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_a.test_b" name="test_passes[x-1]" />
<testcase classname="tests.test_a.test_b.TestC" name="test_fails">
  <failure message="one&#10;  two">trace</failure>
</testcase>
<testcase classname="tests.test_a.test_b" name="test_breaks"><error message="e" /></testcase>
<testcase classname="tests.test_a.test_b" name="test_waits"><skipped message="s" /></testcase>
</testsuite></testsuites>"""
OUTCOME = Outcome(
    passed=1, skipped=1, failed={"test_a/test_b.py::TestC::test_fails": "one two", "test_a/test_b.py::test_breaks": "e"}
)


def suites(*tests: str) -> Suites:
    reason = {"kind": Kind.STRICTER, "why": "AWS refuses | that", "tests": tests}
    return Suites.model_validate(
        {"moto": "0", "suite": [{"folder": "test_a"}, {"folder": "test_not_run"}], "packages": [], "reason": [reason]}
    )


def test_a_report_is_counted_and_its_failures_are_kept_by_the_ids_of_the_tests() -> None:
    assert moto_suites.outcome(REPORT) == OUTCOME


def test_the_table_counts_and_names_what_failed() -> None:
    lines = moto_suites.table({"test_a": OUTCOME}, suites(*OUTCOME.failed)).splitlines()
    assert "| `test_a` | 3 | 1 | 2 | 1 |" in lines
    [reason] = [line for line in lines if line.startswith("| stricter on purpose |")]
    assert "AWS refuses \\| that" in reason
    assert "`test_breaks`, `test_fails`" in reason


def test_a_failure_without_a_class_is_a_problem_and_so_is_a_class_without_a_failure() -> None:
    classed = suites(
        "test_a/test_b.py::test_passes[x-1]", "test_a/test_b.py::TestC::test_fails", "test_not_run/t.py::t"
    )
    assert moto_suites.problems({"test_a": OUTCOME}, classed) == [
        "test_a/test_b.py::test_breaks failed and is not classed: e",
        "test_a/test_b.py::test_passes[x-1] is classed as stricter on purpose, and did not fail",
    ]


def test_the_last_results_are_classed(capsys: pytest.CaptureFixture[str]) -> None:
    assert moto_suites.main(["--table"]) == 0, capsys.readouterr().err


def test_without_sources_it_says_how_to_get_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        moto_suites.main(["--sources", str(tmp_path)])
    assert "--help for how to get it" in capsys.readouterr().err
