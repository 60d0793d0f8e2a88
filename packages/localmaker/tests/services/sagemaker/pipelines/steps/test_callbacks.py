"""Callback steps: the message, the answer, its values, refusals, stop, restart."""

from __future__ import annotations

import json
import uuid

import pytest

from localmaker.errors import AwsError


class Queue:
    """An SQS queue whose messages a test reads."""

    def __init__(self, sqs):
        self._sqs = sqs
        self.url = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex[:12]}")["QueueUrl"]

    def message(self):
        while True:
            answer = self._sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=5)
            for message in answer.get("Messages", []):
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                return json.loads(message["Body"])


@pytest.fixture
def queue(client):
    return Queue(client("sqs"))


@pytest.fixture(autouse=True)
def wait_for_answers(clock):
    clock.blocking = True


def callback(queue, name="Approve", arguments=None, **outputs):
    return {
        "Name": name,
        "Type": "Callback",
        "SqsQueueUrl": queue.url,
        "Arguments": arguments or {},
        "OutputParameters": [{"OutputName": key, "OutputType": kind} for key, kind in outputs.items()],
    }


def answer(call, token, **values):
    given = [{"Name": name, "Value": value} for name, value in values.items()]
    return call("SendPipelineExecutionStepSuccess", CallbackToken=token, OutputParameters=given)


def test_the_message_carries_arguments_and_the_answer_is_used_in_its_type(
    start, finish, call, build, *, queue, jobs, events
):
    step = callback(
        queue,
        arguments={"rows": build.get("Parameters.Rows"), "where": {"key": [build.get("Execution.PipelineName")]}},
        uri="String",
        count="Integer",
        share="Float",
        good="Boolean",
    )
    output = "Steps.Approve.OutputParameters['{}']".format
    text = build.definition(
        step,
        build.condition(
            "Check",
            [
                build.equals(build.get(output("good")), True),
                {"Type": "GreaterThan", "LeftValue": build.get(output("share")), "RightValue": 0.25},
                build.equals(build.get(output("count")), 2),
            ],
            [
                build.processing(
                    "Use",
                    build.get(output("uri")),
                    extra={
                        "ProcessingResources": {
                            "ClusterConfig": {
                                "InstanceType": "ml.m5.large",
                                "InstanceCount": build.get(output("count")),
                                "VolumeSizeInGB": 1,
                            }
                        }
                    },
                )
            ],
        ),
        parameters=(build.parameter("Rows", "Integer", 3),),
    )
    arn = start(text)
    message = queue.message()
    assert message == {
        "token": message["token"],
        "pipelineExecutionArn": arn,
        "arguments": {"rows": 3, "where": {"key": ["demo"]}},
        "status": "Executing",
    }
    [listed] = call("ListPipelineExecutionSteps", PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    assert listed["StepStatus"] == "Executing"
    assert listed["Metadata"]["Callback"]["CallbackToken"] == message["token"]

    values = {"uri": "s3://b/k", "count": "2", "share": "0.5", "good": "true"}
    assert answer(call, message["token"], **values) == {"PipelineExecutionArn": arn}
    done = finish(arn)
    assert done.status == "Succeeded", done.steps
    assert done.steps["Approve"]["Metadata"]["Callback"] == {
        "CallbackToken": message["token"],
        "SqsQueueUrl": queue.url,
        "OutputParameters": [{"Name": name, "Value": value} for name, value in values.items()],
    }
    request = jobs.requests["Use"][0]
    assert request["AppSpecification"]["ContainerArguments"] == ["s3://b/k"]
    assert request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 2
    assert events[-2]["detail"]["stepType"] == "Processing"
    told = [one["detail"] for one in events if one["detail"].get("stepName") == "Approve"][-1]
    assert told["metadata"]["callback"] == {
        "callbackToken": message["token"],
        "sqsQueueUrl": queue.url,
        "outputParameters": [{"name": name, "value": value} for name, value in values.items()],
    }


def test_a_failure_is_the_reason_of_the_step(start, finish, call, build, queue):
    arn = start(build.definition(callback(queue)))
    token = queue.message()["token"]
    for _ in range(2):  # a client that lost the answer asks again, with the same request token
        answered = call(
            "SendPipelineExecutionStepFailure",
            CallbackToken=token,
            FailureReason="the labels are not there",
            ClientRequestToken="r" * 32,
        )
        assert answered == {"PipelineExecutionArn": arn}
    done = finish(arn)
    assert done.status == "Failed"
    assert done.steps["Approve"]["FailureReason"] == "the labels are not there"
    with pytest.raises(AwsError, match="was already answered") as caught:
        answer(call, token)
    assert caught.value.code == "ResourceNotFound"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, r"output parameters \[count\] are declared and were not given; given: none"),
        ({"count": "many"}, r"\[count\] is \[many\], which is not of type \[Integer\]"),
        ({"count": "1", "more": "2"}, r"declares no output parameter \[more\]; declared: count"),
    ],
    ids=["missing", "type", "unknown"],
)
def test_an_answer_that_does_not_fit_is_refused_and_the_step_waits_on(
    start, finish, call, build, *, queue, values, said
):
    arn = start(build.definition(callback(queue, count="Integer")))
    token = queue.message()["token"]
    with pytest.raises(AwsError, match=said):
        answer(call, token, **values)
    answer(call, token, count="1")
    assert finish(arn).status == "Succeeded"


def test_a_queue_that_is_not_there_fails_the_step(start, finish, build, queue):
    step = {**callback(queue), "SqsQueueUrl": queue.url + "-missing"}
    done = finish(start(build.definition(step)))
    assert "Failed to invoke sqs:SendMessage. Error Details:" in done.steps["Approve"]["FailureReason"]


def test_nobody_answers_for_seven_days(run, build, queue, clock):
    clock.blocking = False
    done = run(build.definition(callback(queue)))
    assert "was not answered within 7 days" in done.steps["Approve"]["FailureReason"]
    assert clock.pauses == [7 * 24 * 3600]


def test_a_stop_is_told_to_the_queue_and_waits_for_the_answer(start, finish, call, build, queue):
    arn = start(build.definition(callback(queue, result="String"), build.fail("Never", "x", DependsOn=["Approve"])))
    token = queue.message()["token"]
    call("StopPipelineExecution", PipelineExecutionArn=arn)
    stopping = queue.message()
    assert (stopping["token"], stopping["status"]) == (token, "Stopping")
    described = call("DescribePipelineExecution", PipelineExecutionArn=arn)
    assert described["PipelineExecutionStatus"] == "Stopping"
    answer(call, token, result="cleaned up")
    done = finish(arn)
    assert done.status == "Stopped"
    assert set(done.steps) == {"Approve"}
    assert done.steps["Approve"]["StepStatus"] == "Stopped"


@pytest.mark.parametrize("stopped_before", [False, True])
def test_close_does_not_wait_for_an_answer(open_service, service, call, build, *, start, queue, stopped_before):
    arn = start(build.definition(callback(queue)))
    queue.message()
    if stopped_before:
        call("StopPipelineExecution", PipelineExecutionArn=arn)
    service.close()
    again = open_service()
    described = again.executions.describe({"PipelineExecutionArn": arn})
    assert described["PipelineExecutionStatus"] == ("Stopped" if stopped_before else "Failed")
    again.executions.retry({"PipelineExecutionArn": arn, "ClientRequestToken": "t" * 32})
    if stopped_before:
        assert queue.message()["status"] == "Stopping"
    again.callbacks.succeed(queue.message()["token"], {})
    assert again.executions.wait(arn, 30) == "Succeeded"


def test_the_cache_spares_the_question(start, finish, call, build, queue):
    step = {**callback(queue, x="Float"), "CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}
    text = build.definition(step)
    first = start(text)
    answer(call, queue.message()["token"], x="1")
    finish(first)
    assert finish(start(text)).steps["Approve"]["CacheHitResult"] == {"SourcePipelineExecutionArn": first}
