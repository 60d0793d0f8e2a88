"""Executions on the screen: words, durations, the live tree with its cost."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from pipeline.executions.costs import Cluster
from pipeline.executions.progress import describe, duration, first_line, follow, without_predictions
from pipeline.executions.view import ExecutionView, StepView

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ARN = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/p/execution/x"


def superseded(how):
    return f"s3://raw/x.csv was {how}"


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (0.04, "0.0 s"), (59.94, "59.9 s"), (60.0, "1 min 0 s"), (3725, "62 min 5 s")]
)
def test_durations_are_readable(value, text):
    assert duration(value) == text


def test_states_are_words():
    assert describe(StepView("x", "Training", "Succeeded", cached=True)) == "done (from cache)"
    assert describe(StepView("x", "Training", "NotRun")) == "not run"


def test_long_reasons_are_cut_to_a_line():
    assert first_line("one\ntwo") == "one"
    assert first_line("x" * 500).endswith("…")
    assert len(first_line("x" * 500)) == 160


@pytest.mark.parametrize(
    ("done", "words"),
    [
        ({"ClaimInput": "the same version"}, "There was nothing more to do: the same version."),
        ({"ClaimInput": "taken over", "PublishRegistered": "731 predictions"}, ""),
        ({"ClaimInput": "new", "PublishPredictions": "731 predictions"}, ""),
        ({"ClaimInput": "new", "PublishPredictions": ""}, ""),
        (
            {"ClaimInput": "new", "PublishPredictions": superseded("replaced by version 2, which has one of its own")},
            "Nothing was published: s3://raw/x.csv was replaced by version 2, which has one of its own.",
        ),
        (
            {"ClaimInput": "taken over", "PublishRegistered": superseded("deleted")},
            "Nothing was published: s3://raw/x.csv was deleted.",
        ),
        ({"Other": ""}, ""),
    ],
)
def test_an_execution_says_why_it_has_published_nothing(done, words):
    steps = [StepView(name, "Lambda", "Succeeded", reason=reason) for name, reason in done.items()]
    skipped = [StepView(name, "Lambda", "NotRun") for name in ("PublishPredictions", "Preprocess") if name not in done]
    assert without_predictions(ExecutionView(ARN, "Succeeded", NOW, NOW, "", (*steps, *skipped))) == words


def views():
    """Yield an execution that runs, and then has run."""
    cluster = Cluster("ml.m5.large", 1, 30)
    condition = StepView("IsNewInput", "Condition", "Succeeded", NOW, NOW, "True")
    for status, ended in (("Executing", None), ("Succeeded", NOW + timedelta(seconds=90))):
        step = StepView("Preprocess", "Processing", status, NOW, ended, depth=1, cluster=cluster)
        yield ExecutionView(ARN, status, NOW, ended, "", (condition, step))


def shown(*, terminal, local):
    output = io.StringIO()
    last = follow(views(), Console(file=output, force_terminal=terminal, width=80, color_system=None), local=local)
    assert last.status == "Succeeded"
    text = output.getvalue()
    assert "…" not in text
    return text


def test_a_terminal_shows_the_tree_with_durations_and_cost():
    text = shown(terminal=True, local=False)
    assert "    Preprocess" in text
    assert "1 min 30 s" in text
    assert "Cost so far: about $0.00" in text
    assert "Cost: nothing here; on AWS this time would be about $0.00" in shown(terminal=True, local=True)


def test_elsewhere_each_change_is_a_line():
    lines = shown(terminal=False, local=True).splitlines()
    assert [line.split() for line in lines] == [
        ["IsNewInput", "done", "0.0", "s", "True"],
        ["Preprocess", "running"],
        ["Preprocess", "done", "1", "min", "30", "s"],
    ]
