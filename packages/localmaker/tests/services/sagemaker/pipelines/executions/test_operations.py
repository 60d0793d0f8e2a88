"""Stop, retry, queue, restart, and refused requests."""

from __future__ import annotations

import uuid

import pytest

from localmaker.errors import AwsError

INTERRUPTED = "The local endpoint stopped while this execution was running."


def test_stop_stops_running_jobs_and_starts_no_others(start, finish, call, *, build, jobs, events):
    jobs.hold("A", "B")
    arn = start(build.definition(build.processing("A"), build.processing("B"), build.processing("C", DependsOn=["A"])))
    jobs.await_running("A", "B")
    call("StopPipelineExecution", PipelineExecutionArn=arn)
    done = finish(arn)

    assert done.status == "Stopped"
    assert {name: step["StepStatus"] for name, step in done.steps.items()} == {"A": "Stopped", "B": "Stopped"}
    assert sorted(jobs.stopped) == ["A", "B"]
    statuses = [
        event["detail"]["currentPipelineExecutionStatus"]
        for event in events
        if "currentPipelineExecutionStatus" in event["detail"]
    ]
    assert statuses == ["Executing", "Stopping", "Stopped"]


def test_stopping_twice_is_no_error_and_after_the_end_it_is(start, finish, call, build, jobs):
    jobs.hold("A")
    arn = start(build.definition(build.processing("A")))
    jobs.await_running("A")
    call("StopPipelineExecution", PipelineExecutionArn=arn)
    finish(arn)
    with pytest.raises(AwsError, match=r"ValidationException.*is Stopped"):
        call("StopPipelineExecution", PipelineExecutionArn=arn)


def test_a_stop_is_answered_again_for_its_token(start, finish, call, build, jobs):
    jobs.hold("A")
    arn = start(build.definition(build.processing("A")))
    jobs.await_running("A")
    token = uuid.uuid4().hex
    call("StopPipelineExecution", PipelineExecutionArn=arn, ClientRequestToken=token)
    finish(arn)
    answer = call("StopPipelineExecution", PipelineExecutionArn=arn, ClientRequestToken=token)
    assert answer == {"PipelineExecutionArn": arn}
    with pytest.raises(AwsError, match="is Stopped"):
        call("StopPipelineExecution", PipelineExecutionArn=arn)


def test_an_execution_has_its_pipelines_role(run, start, build):
    text = build.definition(build.processing("A"))
    assert "RoleArn" not in run(text).described
    with pytest.raises(AwsError, match="RoleArn") as caught:
        start(text, RoleArn=build.role)
    assert caught.value.code == "ValidationException"


def test_the_mlflow_configuration_is_that_of_the_definition_and_the_start(run, build):
    arn = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-tracking-server/bikes"
    config = {"MlflowResourceArn": arn, "MlflowExperimentName": build.get("Execution.PipelineName")}
    text = build.definition(build.processing("A"), MlflowConfig=config)
    assert run(text).described["MLflowConfig"] == {"MlflowResourceArn": arn, "MlflowExperimentName": "demo"}
    named = run(text, MlflowExperimentName="other").described["MLflowConfig"]
    assert named == {"MlflowResourceArn": arn, "MlflowExperimentName": "other"}
    without = build.definition(build.processing("A"), MlflowConfig={**config, "MlflowExperimentName": None})
    assert run(without).described["MLflowConfig"] == {"MlflowResourceArn": arn}
    assert "MLflowConfig" not in run(build.definition(build.processing("A"), MlflowConfig=None)).described


def test_stop_ends_a_pause_before_a_retry(start, finish, call, *, build, jobs, clock):
    clock.blocking = True
    jobs.refuse("A", AwsError("ThrottlingException", "Rate exceeded"))
    arn = start(build.definition(build.processing("A")))
    assert clock.paused.wait(30)
    call("StopPipelineExecution", PipelineExecutionArn=arn)
    done = finish(arn)
    assert (done.status, done.steps["A"]["StepStatus"]) == ("Stopped", "Stopped")


def test_a_job_that_is_being_created_when_the_stop_comes_is_stopped_too(start, finish, call, *, build, jobs):
    arns = []
    jobs.hold("A")
    jobs.work["B"] = lambda _: call("StopPipelineExecution", PipelineExecutionArn=arns[0])
    jobs.hold("B")
    arns.append(start(build.definition(build.processing("A"), build.processing("B", DependsOn=["A"]))))
    jobs.release("A")
    done = finish(arns[0])
    assert {name: step["StepStatus"] for name, step in done.steps.items()} == {"A": "Succeeded", "B": "Stopped"}
    assert done.status == "Stopped"
    assert jobs.stopped == ["B"]


def test_retry_keeps_successes_and_runs_the_rest_again(run, finish, call, build, jobs):
    jobs.plan("Bad", ("Failed", "AlgorithmError: no"))
    done = run(
        build.definition(
            build.processing("Good", outputs={"out": "s3://bucket/out"}),
            build.processing("Bad", build.get("Steps.Good.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri")),
            build.processing("After", DependsOn=["Bad"]),
        )
    )
    assert done.status == "Failed"
    answer = call("RetryPipelineExecution", PipelineExecutionArn=done.arn)
    assert answer == {"PipelineExecutionArn": done.arn}
    again = finish(done.arn)

    assert again.status == "Succeeded"
    assert "FailureReason" not in again.described
    assert list(again.steps) == ["Good", "Bad", "After"]
    assert jobs.started() == ["Good", "Bad", "Bad", "After"]
    assert again.steps["Good"] == done.steps["Good"]
    with pytest.raises(AwsError, match=r"is Succeeded. Only an execution that is Failed or Stopped can be retried"):
        call("RetryPipelineExecution", PipelineExecutionArn=done.arn)


def test_what_a_fail_step_ended_cannot_be_retried(run, call, build):
    done = run(build.definition(build.fail("GiveUp", "too few rows")))
    with pytest.raises(AwsError, match=r"ended with Fail step \[GiveUp\]") as caught:
        call("RetryPipelineExecution", PipelineExecutionArn=done.arn)
    assert caught.value.code == "ValidationException"


def test_attempts_are_counted_over_retries(run, finish, call, build, jobs):
    jobs.refuse("Bad", AwsError("ThrottlingException", "Rate exceeded"))
    jobs.plan("Bad", *[("Failed", "AlgorithmError: no")] * 2)
    done = run(build.definition(build.processing("Good"), build.processing("Bad")))
    counts = [done.steps["Bad"]["AttemptCount"]]
    for _ in range(2):
        call("RetryPipelineExecution", PipelineExecutionArn=done.arn)
        done = finish(done.arn)
        counts.append(done.steps["Bad"]["AttemptCount"])
    assert (done.status, counts) == ("Succeeded", [2, 3, 4])
    assert done.steps["Good"]["AttemptCount"] == 1


def test_retry_repeats_its_answer_for_its_token(run, finish, call, build, jobs):
    jobs.plan("Bad", ("Failed", "AlgorithmError: no"))
    done = run(build.definition(build.processing("Bad")))
    token = uuid.uuid4().hex
    for _ in range(2):
        call("RetryPipelineExecution", PipelineExecutionArn=done.arn, ClientRequestToken=token)
        finish(done.arn)
    assert len(jobs.requests["Bad"]) == 2


def test_a_start_with_the_same_token_starts_once(start, finish, call, build):
    text = build.definition(build.processing("A"))
    token = uuid.uuid4().hex
    first = start(text, ClientRequestToken=token)
    assert start(text, ClientRequestToken=token) == first
    with pytest.raises(AwsError, match="ConflictException"):
        start(text, ClientRequestToken=token, PipelineExecutionDisplayName="other")
    finish(first)
    listed = call("ListPipelineExecutions", PipelineName="demo")["PipelineExecutionSummaries"]
    assert [item["PipelineExecutionArn"] for item in listed] == [first]


def test_executions_over_the_limit_wait_in_order(open_service, build, jobs, eventually):
    service = open_service(max_running=2)
    jobs.hold("A")
    text = build.definition(build.processing("A", build.get("Parameters.N")), parameters=(build.parameter("N"),))
    service.catalog.create({"PipelineName": "p", "RoleArn": build.role, "PipelineDefinition": text})
    arn = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/p"
    started = [
        service.executions.start({"PipelineName": arn, "PipelineParameters": [{"Name": "N", "Value": str(number)}]})[
            "PipelineExecutionArn"
        ]
        for number in range(6)
    ]

    eventually(lambda: len(jobs.started()) == 2)
    statuses = {
        service.executions.describe({"PipelineExecutionArn": one})["PipelineExecutionStatus"] for one in started
    }
    assert statuses == {"Executing"}
    service.executions.stop({"PipelineExecutionArn": started[3]})  # still waiting: it never starts
    assert service.executions.wait(started[3], 30) == "Stopped"
    jobs.release("A")
    assert [service.executions.wait(one, 30) for one in started] == ["Succeeded"] * 3 + ["Stopped"] + ["Succeeded"] * 2
    assert jobs.most_at_once == 2
    numbers = [request["AppSpecification"]["ContainerArguments"][0] for request in jobs.requests["A"]]
    assert sorted(numbers) == ["0", "1", "2", "4", "5"]


def test_a_burst_of_two_hundred_starts_loses_none(open_service, build, jobs):
    service = open_service()
    text = build.definition(build.processing("A"))
    service.catalog.create({"PipelineName": "p", "RoleArn": build.role, "PipelineDefinition": text})
    started = [service.executions.start({"PipelineName": "p"})["PipelineExecutionArn"] for _ in range(200)]
    assert {service.executions.wait(one, 60) for one in started} == {"Succeeded"}
    assert len(jobs.started()) == len(set(started)) == 200


def test_a_restart_fails_what_ran_keeps_what_waited_and_allows_a_retry(open_service, build, jobs, tmp_path):
    service = open_service(max_running=1)
    jobs.hold("B")
    text = build.definition(build.processing("A"), build.processing("B", DependsOn=["A"]))
    service.catalog.create({"PipelineName": "p", "RoleArn": build.role, "PipelineDefinition": text})
    running, waiting = (service.executions.start({"PipelineName": "p"})["PipelineExecutionArn"] for _ in range(2))
    jobs.await_running("B")
    # A second process on a copy of the state, as after a kill: the first never said goodbye.
    copy_state(tmp_path / "state", tmp_path / "killed")
    revived_jobs, told = type(jobs)(), []
    revived = type(service)(
        tmp_path / "killed",
        "123456789012",
        "us-east-1",
        revived_jobs,
        service.catalog._client,
        max_running=1,
        on_event=told.append,
    )
    try:
        described = revived.executions.describe({"PipelineExecutionArn": running})
        assert described["PipelineExecutionStatus"] == "Failed"
        assert described["FailureReason"].startswith(INTERRUPTED)
        steps = revived.executions.list_steps({"PipelineExecutionArn": running, "SortOrder": "Ascending"})
        shown = [(step["StepName"], step["StepStatus"]) for step in steps["PipelineExecutionSteps"]]
        assert shown == [("A", "Succeeded"), ("B", "Failed")]
        assert revived_jobs.started() == []
        # Nobody is told before the endpoint answers.
        assert told == []
        revived.resume()
        assert [(one["detail"].get("stepName"), status_of(one)) for one in told[:2]] == [
            ("B", "Failed"),
            (None, "Failed"),
        ]
        assert told[0]["detail"]["previousStepStatus"] in ("Starting", "Executing")
        assert told[1]["detail"]["previousPipelineExecutionStatus"] == "Executing"
        assert revived.executions.wait(waiting, 30) == "Succeeded"
        revived.executions.retry({"PipelineExecutionArn": running})
        assert revived.executions.wait(running, 30) == "Succeeded"
        assert revived_jobs.started() == ["A", "B", "B"]
    finally:
        revived.close()


def status_of(event):
    return event["detail"].get("currentStepStatus") or event["detail"]["currentPipelineExecutionStatus"]


def copy_state(source, target):
    target.mkdir()
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())


def test_close_stops_what_runs_and_says_why(open_service, build, jobs):
    service = open_service()
    jobs.hold("A")
    text = build.definition(build.processing("A"))
    service.catalog.create({"PipelineName": "p", "RoleArn": build.role, "PipelineDefinition": text})
    arn = service.executions.start({"PipelineName": "p"})["PipelineExecutionArn"]
    jobs.await_running("A")
    service.close()
    assert jobs.stopped == ["A"]
    described = open_service().executions.describe({"PipelineExecutionArn": arn})
    assert described["PipelineExecutionStatus"] == "Failed"
    assert described["FailureReason"].startswith(INTERRUPTED)


def test_a_job_that_outlives_the_close_is_reported_by_the_next_start(open_service, build, jobs, caplog):
    class Stubborn(type(jobs)):
        def stop(self, kind, name):
            self.stopped.append(name)

    stubborn = Stubborn()
    stubborn.hold("A")
    service = open_service(jobs=stubborn)
    text = build.definition(build.processing("A"))
    service.catalog.create({"PipelineName": "p", "RoleArn": build.role, "PipelineDefinition": text})
    arn = service.executions.start({"PipelineName": "p"})["PipelineExecutionArn"]
    stubborn.await_running("A")
    engine = service.executions._running[arn]
    caplog.set_level("INFO", logger="localmaker.services.sagemaker.pipelines")
    service.close(timeout=0)
    stubborn.release("A")
    assert engine.join(30)
    assert "the next start reports it" in caplog.text
    described = open_service().executions.describe({"PipelineExecutionArn": arn})
    assert described["FailureReason"].startswith(INTERRUPTED)


def test_update_execution_renames_while_it_runs(start, finish, call, build, jobs):
    jobs.hold("A")
    arn = start(build.definition(build.processing("A")))
    jobs.await_running("A")
    call(
        "UpdatePipelineExecution",
        PipelineExecutionArn=arn,
        PipelineExecutionDisplayName="renamed",
        PipelineExecutionDescription="why",
    )
    jobs.release("A")
    done = finish(arn)
    assert done.status == "Succeeded"
    assert done.described["PipelineExecutionDisplayName"] == "renamed"
    assert done.described["PipelineExecutionDescription"] == "why"


def test_parallelism_can_be_widened_while_it_runs(start, finish, call, build, jobs):
    jobs.hold("A", "B")
    text = build.definition(build.processing("A"), build.processing("B"))
    arn = start(text, ParallelismConfiguration={"MaxParallelExecutionSteps": 1})
    jobs.await_running("A")
    wider = {"MaxParallelExecutionSteps": 2}
    call("UpdatePipelineExecution", PipelineExecutionArn=arn, ParallelismConfiguration=wider)
    jobs.await_running("A", "B")
    jobs.release("A", "B")
    assert finish(arn).described["ParallelismConfiguration"] == wider


def test_an_execution_keeps_the_definition_it_started_with(start, finish, call, build, jobs):
    jobs.hold("A")
    old, new = build.definition(build.processing("A")), build.definition(build.processing("B"))
    arn = start(old)
    jobs.await_running("A")
    call("UpdatePipeline", PipelineName="demo", PipelineDefinition=new)
    jobs.release("A")
    assert set(finish(arn).steps) == {"A"}
    assert call("DescribePipelineDefinitionForExecution", PipelineExecutionArn=arn)["PipelineDefinition"] == old
    assert call("DescribePipeline", PipelineName="demo")["PipelineDefinition"] == new
    earlier = start(new, PipelineVersionId=1)
    assert set(finish(earlier).steps) == {"A"}


def test_parameters_are_listed_as_text_with_their_defaults(run, call, build):
    text = build.definition(
        build.processing("A"),
        parameters=(
            build.parameter("Key", default="k"),
            build.parameter("Count", "Integer", 3),
            build.parameter("Share", "Float"),
            build.parameter("On", "Boolean", False),
        ),
    )
    done = run(text, {"Share": "0.25", "Key": "day 1+ü.csv"})
    listed = call("ListPipelineParametersForExecution", PipelineExecutionArn=done.arn)["PipelineParameters"]
    assert listed == [
        {"Name": "Key", "Value": "day 1+ü.csv"},
        {"Name": "Count", "Value": "3"},
        {"Name": "Share", "Value": "0.25"},
        {"Name": "On", "Value": "false"},
    ]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({}, r"Parameters \[Key\] have no default value"),
        ({"Key": "a", "Other": "b"}, r"Parameter \[Other\] is not defined .* Defined: Key, Count"),
        ({"Key": "z"}, r"\[z\] of parameter \[Key\] is not one of its EnumValues \['a', 'b'\]"),
        ({"Key": "a", "Count": "many"}, r"\[many\] of parameter \[Count\] is not of type \[Integer\]"),
    ],
    ids=["missing", "unknown", "enum", "type"],
)
def test_start_refuses_parameters_that_do_not_fit(start, build, parameters, said):
    text = build.definition(
        build.processing("A"),
        parameters=(build.parameter("Key", EnumValues=["a", "b"]), build.parameter("Count", "Integer", 1)),
    )
    with pytest.raises(AwsError, match=said):
        start(text, parameters)


@pytest.mark.parametrize("parameters", [{"Key": ""}, {"Count": ""}, {}], ids=["text", "number", "default"])
def test_empty_text_is_the_value_of_no_parameter(start, build, parameters):
    text = build.definition(
        build.processing("A"),
        parameters=(
            build.parameter("Key", default="k" if parameters else ""),
            build.parameter("Count", "Integer", 1),
        ),
    )
    with pytest.raises(AwsError) as refused:
        start(text, parameters)
    assert refused.value.code == "ValidationException"
    assert refused.value.message == '[string "" is too short (length: 0, required minimum: 1)]'


def test_lists_are_paged_and_sorted(start, finish, call, build):
    text = build.definition(*(build.processing(f"S{number}") for number in range(5)))
    arns = [start(text, ParallelismConfiguration={"MaxParallelExecutionSteps": 1}) for _ in range(3)]
    for arn in arns:
        finish(arn)

    shown, token = [], {}
    while True:
        answer = call("ListPipelineExecutionSteps", PipelineExecutionArn=arns[0], MaxResults=2, **token)
        shown += [step["StepName"] for step in answer["PipelineExecutionSteps"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert shown == ["S4", "S3", "S2", "S1", "S0"]

    newest = call("ListPipelineExecutions", PipelineName="demo", MaxResults=2)
    assert [item["PipelineExecutionArn"] for item in newest["PipelineExecutionSummaries"]] == [arns[2], arns[1]]
    oldest = call("ListPipelineExecutions", PipelineName="demo", SortOrder="Ascending")
    assert [item["PipelineExecutionArn"] for item in oldest["PipelineExecutionSummaries"]] == arns
    with pytest.raises(AwsError, match="Invalid pagination token"):
        call("ListPipelineExecutions", PipelineName="demo", NextToken="bm9uc2Vuc2U=")


def test_a_missing_execution_is_not_found(call):
    arn = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/demo/run/execution/abcdefabcdef"
    for operation in (
        "DescribePipelineExecution",
        "ListPipelineExecutionSteps",
        "StopPipelineExecution",
        "RetryPipelineExecution",
        "UpdatePipelineExecution",
        "ListPipelineParametersForExecution",
        "DescribePipelineDefinitionForExecution",
    ):
        with pytest.raises(AwsError, match=f"ResourceNotFound: Pipeline execution with ARN {arn} does not exist"):
            call(operation, PipelineExecutionArn=arn)
