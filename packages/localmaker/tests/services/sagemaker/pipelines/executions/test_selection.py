"""Selective executions: steps that run, steps reused from the source execution, refused selections."""

from __future__ import annotations

import pytest

from localmaker.errors import AwsError


@pytest.fixture
def text(build):
    """Return a definition: A -> B -> Gate(True: C, False: D), and E after A."""
    uri = "Steps.A.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"
    out = build.join("/", "s3://b", build.get("Execution.PipelineExecutionId"))
    return build.definition(
        build.processing("A", outputs={"out": out}),
        build.processing("B", build.get(uri)),
        build.condition(
            "Gate",
            [build.equals(build.get("Parameters.Answer"), "yes")],
            [build.processing("C", build.get(uri))],
            [build.processing("D")],
            DependsOn=["B"],
        ),
        build.processing("E", build.get(uri)),
        parameters=(build.parameter("Answer", default="yes"),),
    )


def selection(source, *steps):
    given = {"SelectedSteps": [{"StepName": name} for name in steps]}
    return given if source is None else {**given, "SourcePipelineExecutionArn": source}


def test_selected_steps_run_upon_the_results_of_the_source(run, text, jobs):
    first = run(text)
    config = selection(first.arn, "B")
    second = run(text, SelectiveExecutionConfig=config)

    assert second.status == "Succeeded"
    assert second.described["SelectiveExecutionConfig"] == config
    assert set(second.steps) == {"A", "B"}
    assert second.steps["A"]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": first.arn}
    assert second.steps["A"]["Metadata"] == first.steps["A"]["Metadata"]
    assert "SelectiveExecutionResult" not in second.steps["B"]
    assert [len(jobs.requests[name]) for name in "ABCE"] == [1, 2, 1, 1]
    arguments = [request["AppSpecification"]["ContainerArguments"] for request in jobs.requests["B"]]
    assert arguments[0] == arguments[1] == [f"s3://b/{first.arn.rsplit('/')[-1]}"]


def test_a_selected_condition_decides_anew_and_leaves_out_what_is_not_selected(run, text, jobs):
    first = run(text)
    second = run(text, {"Answer": "no"}, SelectiveExecutionConfig=selection(first.arn, "Gate", "C", "D"))
    assert second.status == "Succeeded"
    assert set(second.steps) == {"A", "B", "Gate", "D"}
    third = run(text, {"Answer": "no"}, SelectiveExecutionConfig=selection(first.arn, "Gate"))
    assert set(third.steps) == {"B", "Gate"}


def test_a_step_of_the_taken_branch_runs_alone(run, text):
    first = run(text)
    second = run(text, SelectiveExecutionConfig=selection(first.arn, "C"))
    assert set(second.steps) == {"A", "Gate", "C"}


def test_steps_that_wait_for_nothing_need_no_source(run, text):
    done = run(text, SelectiveExecutionConfig=selection(None, "A", "E"))
    assert (done.status, set(done.steps)) == ("Succeeded", {"A", "E"})


def test_a_retry_of_a_selective_execution_keeps_its_selection(run, finish, call, text, jobs):
    first = run(text)
    jobs.plan("B", ("Failed", "AlgorithmError: no"))
    second = run(text, SelectiveExecutionConfig=selection(first.arn, "B"))
    assert second.status == "Failed"
    call("RetryPipelineExecution", PipelineExecutionArn=second.arn)
    third = finish(second.arn)
    assert (third.status, set(third.steps)) == ("Succeeded", {"A", "B"})
    # The results of another execution are no results of a run of this one.
    assert len(jobs.requests["A"]) == 1


@pytest.mark.parametrize(
    ("steps", "with_source", "said"),
    [
        (["X"], True, r"Selected step \[X\] does not exist in the pipeline. Its steps: A, B, Gate"),
        (["A", "Gate"], True, r"Step \[B\] lies between selected steps"),
        (
            ["B"],
            False,
            r"Invalid SourcePipelineExecutionArn: null. The selected steps \[B\] have dependencies on \[A\]",
        ),
        (
            ["C", "E"],
            False,
            r"Invalid SourcePipelineExecutionArn: null. The selected steps \[C, E\] have dependencies on \[A, Gate\]",
        ),
        (["D"], True, r"Selected step \[D\] lies in the branch of \[Gate\] that the source execution did not take"),
    ],
    ids=["unknown", "gap", "no source", "no source for several", "branch"],
)
def test_a_selection_that_cannot_run_is_refused(run, start, text, *, steps, with_source, said):
    source = run(text).arn if with_source else None
    with pytest.raises(AwsError, match=said) as caught:
        start(text, SelectiveExecutionConfig=selection(source, *steps))
    assert caught.value.code == "ValidationException"


def test_a_source_must_have_succeeded_where_it_is_needed_and_ended(run, start, call, text, *, jobs, finish):
    jobs.plan("A", ("Failed", "AlgorithmError: no"))
    failed = run(text)
    with pytest.raises(AwsError, match=r"depends on step \[A\], which has not succeeded in the source"):
        start(text, SelectiveExecutionConfig=selection(failed.arn, "B"))
    jobs.hold("A")
    stopped = start(text)
    jobs.await_running("A")
    call("StopPipelineExecution", PipelineExecutionArn=stopped)
    finish(stopped)
    with pytest.raises(AwsError, match="is Stopped"):
        start(text, SelectiveExecutionConfig=selection(stopped, "B"))
    running = start(text)
    with pytest.raises(AwsError, match="is Executing"):
        start(text, SelectiveExecutionConfig=selection(running, "B"))
    jobs.release("A")
    finish(running)
    other = run(text, name="other").arn
    with pytest.raises(AwsError, match="has no execution") as caught:
        start(text, SelectiveExecutionConfig=selection(other, "B"))
    assert caught.value.code == "ResourceNotFound"
