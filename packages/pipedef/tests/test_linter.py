"""The linter: what it runs, on what, and how it shows what it finds."""

import ast
import json
from pathlib import Path

import pytest

from pipedef.checks.registry import Problem, Scope, Severity, registered
from pipedef.document.definition import read_definition
from pipedef.errors import DefinitionError, UnknownCheckError
from pipedef.linter import (
    Finding,
    check_lines,
    check_text,
    checks_as_json,
    chosen_checks,
    finding_line,
    report_as_json,
    report_lines,
    unreadable,
    validate,
)

README = Path(__file__).parents[1] / "README.md"


def finding_names(source):
    """Yield the checks that a test expects to find something: ``problems("name", …)`` but for ``== []``."""
    tree = ast.parse(source)
    expected_empty = {
        id(node.left)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]) == "[]"
    }
    for node in ast.walk(tree):
        called = isinstance(node, ast.Call) and ast.unparse(node.func) == "problems" and id(node) not in expected_empty
        if called and isinstance(node.args[0], ast.Constant):
            yield node.args[0].value


def test_every_check_has_a_test_in_which_it_finds_something():
    tests = [path.read_text(encoding="utf-8") for path in (Path(__file__).parent / "checks").glob("test_*.py")]
    tested = {name for source in tests for name in finding_names(source)}
    assert {check.name for check in registered()} - tested == set()


def test_a_good_project_passes_every_check(training, scoring, deployments, sources, project):
    subjects = [(training.read(), deployments["training"]), (scoring.read(), deployments["scoring"])]
    report = validate(subjects, sources, project)
    assert report.findings == ()
    assert report.skipped == ()
    assert report.ran == tuple(check.name for check in registered())
    assert list(report_lines(report)) == [
        f"No problem found by {len(registered())} checks in draft.json, draft.json, jobs."
    ]


def test_without_a_project_nothing_is_taken_for_granted(training, scoring, deployments):
    """Conventions that nobody has told are no reason to complain."""
    subjects = [(read_definition(json.dumps(draft.content), "x.json"), None) for draft in (training, scoring)]
    assert validate(subjects).findings == ()


def test_a_finding_in_a_script_names_its_folder(sources, project):
    (finding,) = validate([], {**sources, "train.py": "def main(:\n"}, project).findings
    assert finding_line(finding).startswith("jobs/train.py: error: train.py is not valid Python")


def test_a_finding_is_one_line(training):
    training.arguments("Train")["AlgorithmSpecification"]["TrainingImage"] = "own:latest"
    report = check_text(json.dumps(training.content), "d.json")
    assert next(report_lines(report)) == (
        "d.json, step Train, Arguments.AlgorithmSpecification.TrainingImage: warning: own:latest has a tag that moves."
        " → Name the version, such as …/sagemaker-scikit-learn:1.9-0-cpu-py3, or the digest. [images-pinned]"
    )
    assert report_as_json(report)["findings"] == [
        {
            "check": "images-pinned",
            "severity": "warning",
            "source": "d.json",
            "message": "own:latest has a tag that moves.",
            "fix": "Name the version, such as …/sagemaker-scikit-learn:1.9-0-cpu-py3, or the digest.",
            "step": "Train",
            "field": "Arguments.AlgorithmSpecification.TrainingImage",
            "file": "",
        }
    ]
    assert report.errors == ()


def test_a_name_moves_no_cursor():
    finding = Finding("names", Severity.ERROR, "d.json", Problem("Bad.", "Fix.", step="a\x1b[2J\nb"))
    assert finding_line(finding) == "d.json, step a\\x1b[2J\\nb: error: Bad. → Fix. [names]"


def test_the_last_lines_count_and_say_what_was_not_checked(training):
    training.arguments("Train")["AlgorithmSpecification"]["TrainingImage"] = "own:latest"
    training.step("Train")["CacheConfig"]["ExpireAfter"] = "soon"
    *_, counted, skipped = report_lines(check_text(json.dumps(training.content), "d.json"))
    assert counted.startswith("1 error and 1 warning found by ")
    assert "permissions" in skipped


@pytest.mark.parametrize("text", ["{", "[]", '{"Steps": [1]}', "[" * 100_000])
def test_what_is_no_definition_is_a_finding_of_the_structure(text):
    report = check_text(text, "d.json")
    (finding,) = report.findings
    assert (finding.check, finding.severity, report.ran) == ("structure", Severity.ERROR, ("structure",))


def test_an_unreadable_definition_is_reported_without_its_source():
    report = unreadable("d.json", DefinitionError("d.json: a definition is a JSON object.", hint="Write one."))
    assert finding_line(report.findings[0]) == "d.json: error: a definition is a JSON object. → Write one. [structure]"


def test_checks_are_selected_and_ignored():
    assert [check.name for check in chosen_checks(["cycles", "names"], ["names"])] == ["cycles"]
    assert {check.name for check in registered()} - {check.name for check in chosen_checks([], ["names"])} == {"names"}
    with pytest.raises(UnknownCheckError, match="no check named nmaes"):
        chosen_checks(["nmaes"])


def test_the_list_names_every_check():
    assert [line.split()[0] for line in check_lines()] == [check.name for check in registered()]
    assert {item["scope"] for item in checks_as_json()} == {str(scope) for scope in Scope}
    assert all(item["summary"] for item in checks_as_json())


def test_the_readme_has_the_same_table():
    rows = [line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    expected = [f"| `{check.name}` | {check.severity} | {check.summary} | {check.scope} |" for check in registered()]
    assert rows == expected
