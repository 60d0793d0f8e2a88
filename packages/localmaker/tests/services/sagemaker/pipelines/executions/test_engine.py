"""Running executions: order, values, conditions, failures, retries, caching."""

from __future__ import annotations

import json

import pytest

from localmaker.errors import AwsError

FAILED_REASON = "Step failure: One or multiple steps failed."


def test_one_step_runs_and_is_listed(run, build, jobs):
    done = run(build.definition(build.processing("Prepare", "--rows", "3")))

    assert done.status == "Succeeded"
    assert "FailureReason" not in done.described
    step = done.steps["Prepare"]
    assert step["StepStatus"] == "Succeeded"
    assert step["AttemptCount"] == 1
    assert step["EndTime"] > step["StartTime"]
    request = jobs.requests["Prepare"][0]
    assert request["AppSpecification"]["ContainerArguments"] == ["--rows", "3"]
    name = request["ProcessingJobName"]
    assert name.startswith(f"pipelines-{done.arn.rsplit('/')[-1]}-Prepare-")
    assert len(name) <= 63
    assert step["Metadata"] == {
        "ProcessingJob": {"Arn": f"arn:aws:sagemaker:us-east-1:123456789012:processing-job/{name.lower()}"}
    }


def test_values_reach_the_job_in_the_types_of_the_request(run, build, jobs):
    text = build.definition(
        build.processing("First", outputs={"train": "s3://bucket/train"}),
        build.processing(
            "Second",
            build.get("Steps.First.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"),
            build.join(
                "-", "n", build.get("Parameters.Count"), build.get("Parameters.Share"), build.get("Parameters.On")
            ),
            build.get("Execution.PipelineExecutionArn"),
            extra={
                "ProcessingResources": {
                    "ClusterConfig": {
                        "InstanceType": build.get("Parameters.Instance"),
                        "InstanceCount": build.get("Parameters.Count"),
                        "VolumeSizeInGB": 30,
                    }
                }
            },
        ),
        parameters=(
            build.parameter("Count", "Integer", 1),
            build.parameter("Share", "Float", 0.5),
            build.parameter("On", "Boolean", True),
            build.parameter("Instance", "String"),
        ),
    )
    done = run(text, {"Instance": "ml.m5.xlarge", "Count": "2"})

    request = jobs.requests["Second"][0]
    assert request["AppSpecification"]["ContainerArguments"] == ["s3://bucket/train", "n-2-0.5-true", done.arn]
    assert request["ProcessingResources"]["ClusterConfig"] == {
        "InstanceType": "ml.m5.xlarge",
        "InstanceCount": 2,
        "VolumeSizeInGB": 30,
    }
    assert jobs.started() == ["First", "Second"]


def test_independent_steps_run_at_the_same_time(start, finish, build, jobs):
    jobs.hold("A", "B", "C")
    arn = start(build.definition(build.processing("A"), build.processing("B"), build.processing("C", DependsOn=["A"])))
    jobs.await_running("A", "B")
    assert set(jobs.started()) == {"A", "B"}
    jobs.release("A")
    jobs.await_running("B", "C")
    jobs.release("B", "C")
    assert finish(arn).status == "Succeeded"
    assert jobs.most_at_once == 2


def test_parallelism_configuration_bounds_running_steps(run, build, jobs):
    steps = [build.processing(f"S{number}") for number in range(6)]
    done = run(build.definition(*steps), ParallelismConfiguration={"MaxParallelExecutionSteps": 1})
    assert done.status == "Succeeded"
    assert jobs.started() == [f"S{number}" for number in range(6)]
    assert done.described["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 1}


@pytest.mark.parametrize(("value", "outcome", "ran"), [("yes", "True", "Then"), ("no", "False", "Otherwise")])
def test_only_the_taken_branch_runs(run, build, value, outcome, ran):
    text = build.definition(
        build.condition(
            "Check",
            [build.equals(build.get("Parameters.Answer"), "yes")],
            [build.processing("Then"), build.processing("ThenMore", DependsOn=["Then"])],
            [build.processing("Otherwise")],
        ),
        build.processing("AfterThen", DependsOn=["Then"]),
        build.processing("AfterCheck", DependsOn=["Check"]),
        parameters=(build.parameter("Answer"),),
    )
    done = run(text, {"Answer": value})

    expected = {"Check", "AfterCheck", ran} | ({"ThenMore", "AfterThen"} if ran == "Then" else set())
    assert done.status == "Succeeded"
    assert set(done.steps) == expected
    assert done.steps["Check"]["Metadata"] == {"Condition": {"Outcome": outcome}}


def test_an_outcome_is_a_boolean_wherever_it_is_used(run, build, jobs):
    text = build.definition(
        build.condition("Check", [build.equals(1, 2)]),
        build.condition("Again", [build.equals(build.get("Steps.Check.Outcome"), False)]),
        build.processing("Use", extra={"Environment": {"OUTCOME": build.get("Steps.Check.Outcome")}}),
        build.fail("Say", build.join(" ", "it was", build.get("Steps.Check.Outcome")), DependsOn=["Use"]),
    )
    done = run(text)

    assert done.steps["Check"]["Metadata"] == {"Condition": {"Outcome": "False"}}
    assert done.steps["Again"]["Metadata"] == {"Condition": {"Outcome": "True"}}
    assert jobs.requests["Use"][0]["Environment"] == {"OUTCOME": "false"}
    assert done.steps["Say"]["FailureReason"] == "it was false"


def test_a_long_message_is_cut_to_what_each_field_takes(run, build):
    [step] = run(build.definition(build.fail("Give", "x" * 4000))).steps.values()
    assert len(step["FailureReason"]) == 1024
    assert len(step["Metadata"]["Fail"]["ErrorMessage"]) == 3072


def test_a_fail_step_without_a_message_gives_no_reason(run, build):
    done = run(build.definition(build.fail("Give", "")))

    assert done.steps["Give"]["StepStatus"] == "Failed"
    assert "FailureReason" not in done.steps["Give"]
    assert done.steps["Give"]["Metadata"] == {"Fail": {"ErrorMessage": ""}}
    assert done.described["FailureReason"] == "Step failure: One or multiple steps failed."


@pytest.fixture
def put_report(build, jobs, client, bucket):
    """Return a definition whose step Evaluate writes the property file Report (unless None), and the other steps."""

    def make(body, *more):
        if body is not None:
            jobs.work["Evaluate"] = lambda _: client("s3").put_object(
                Bucket=bucket, Key="evaluation/evaluation.json", Body=body
            )
        step = build.processing(
            "Evaluate",
            outputs={"evaluation": f"s3://{bucket}/evaluation"},
            PropertyFiles=[{"PropertyFileName": "Report", "OutputName": "evaluation", "FilePath": "evaluation.json"}],
        )
        return build.definition(step, *more)

    return make


def test_condition_reads_a_property_file(run, build, jobs, put_report):
    report = {"metrics": {"r2": {"value": 0.84}}, "leakage": {"verdict": "pass"}, "list": [{"a.b": 7}]}
    gate = build.condition(
        "Gate",
        [
            {
                "Type": "GreaterThanOrEqualTo",
                "LeftValue": build.json_get("Evaluate", "Report", "metrics.r2.value"),
                "RightValue": 0.83,
            },
            build.equals(build.json_get("Evaluate", "Report", "$.leakage.verdict"), "pass"),
            build.equals(build.json_get("Evaluate", "Report", "list[0]['a.b']"), 7),
        ],
        [build.processing("Register", build.json_get("Evaluate", "Report", "metrics.r2.value"))],
        [
            build.fail(
                "GateFailed", build.join(" ", "r2", build.json_get("Evaluate", "Report", "metrics.r2.value"), "too low")
            )
        ],
    )
    done = run(put_report(json.dumps(report), gate))
    assert done.status == "Succeeded"
    assert jobs.requests["Register"][0]["AppSpecification"]["ContainerArguments"] == ["0.84"]

    report["metrics"]["r2"]["value"] = 0.5
    done = run(put_report(json.dumps(report), gate))
    assert (done.status, done.described["FailureReason"]) == ("Failed", FAILED_REASON)
    failed = done.steps["GateFailed"]
    assert failed["FailureReason"] == "r2 0.5 too low"
    assert failed["Metadata"] == {"Fail": {"ErrorMessage": "r2 0.5 too low"}}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (None, "evaluation/evaluation.json]: An error occurred (NoSuchKey)"),
        (b"{", "evaluation/evaluation.json]: it is not valid JSON"),
        (b"{}", "Cannot resolve [Steps.Evaluate.PropertyFiles.Report, path metrics.r2]: there is no [metrics]"),
    ],
    ids=["missing", "broken", "path"],
)
def test_a_bad_property_file_fails_the_step_that_reads_it(run, build, put_report, body, said):
    text = put_report(
        body, build.condition("Gate", [build.equals(build.json_get("Evaluate", "Report", "metrics.r2"), 1)])
    )
    done = run(text)
    assert done.status == "Failed"
    assert said in done.steps["Gate"]["FailureReason"]


def test_a_property_file_of_two_megabytes_is_read_and_no_larger_one(run, build, put_report):
    gate = build.condition("Gate", [build.equals(build.json_get("Evaluate", "Report", "n"), 1)])
    limit = 2 * 1024 * 1024
    assert run(put_report(b'{"n": 1}'.ljust(limit), gate)).status == "Succeeded"
    done = run(put_report(b'{"n": 1}'.ljust(limit + 1), gate))
    assert "it has 2097153 bytes; the limit for a JSON document is 2097152" in (done.steps["Gate"]["FailureReason"])


def test_what_is_described_names_who_made_it(run, build, call, client):
    done = run(build.definition(build.processing("Prepare")))
    caller = client("sts").get_caller_identity()["Arn"]
    for described in (done.described, call("DescribePipeline", PipelineName="demo")):
        assert described["CreatedBy"]["IamIdentity"]["Arn"] == caller
        assert described["LastModifiedBy"]["IamIdentity"]["Arn"] == caller


def test_condition_reads_a_document_by_its_uri(run, build, client, bucket):
    client("s3").put_object(Bucket=bucket, Key="x y?.json", Body=b'{"n": 1}')
    uri = build.join("/", f"s3://{bucket}", "x y?.json")
    expression = {"Std:JsonGet": {"S3Uri": uri, "Path": "n"}}
    done = run(build.definition(build.condition("Check", [build.equals(expression, 1)])))
    assert done.steps["Check"]["Metadata"]["Condition"]["Outcome"] == "True"


def test_a_failure_lets_running_steps_end_and_starts_no_others(start, finish, build, jobs, events):
    jobs.hold("Slow", "Bad")
    jobs.plan("Bad", ("Failed", "AlgorithmError: day.csv row 7 column season: 7 is not a season, exit code: 1"))
    arn = start(
        build.definition(
            build.processing("Bad"),
            build.processing("Slow"),
            build.processing("AfterSlow", DependsOn=["Slow"]),
            build.processing("AfterBad", DependsOn=["Bad"]),
        )
    )
    jobs.await_running("Bad", "Slow")
    jobs.release("Bad")
    events.await_status("Bad", "Failed")
    jobs.release("Slow")
    done = finish(arn)
    assert (done.status, done.described["FailureReason"]) == ("Failed", FAILED_REASON)
    assert done.steps["Bad"]["StepStatus"] == "Failed"
    assert done.steps["Bad"]["FailureReason"] == (
        "ClientError: AlgorithmError: day.csv row 7 column season: 7 is not a season, exit code: 1"
    )
    assert set(done.steps) == {"Bad", "Slow"}
    assert done.steps["Slow"]["StepStatus"] == "Succeeded"


def test_a_step_can_run_because_another_failed(run, build, jobs):
    jobs.plan("Bad", ("Failed", "AlgorithmError: no"))
    done = run(
        build.definition(
            build.processing("Bad"),
            build.processing("Notify", DependsOn=[{"Step": "Bad", "Trigger": "Failed"}]),
            build.processing("Unneeded", DependsOn=[{"Step": "Notify", "Trigger": "Failed"}]),
            build.processing("After", DependsOn=["Bad"]),
        )
    )
    assert done.status == "CompletedWithFailures"
    assert set(done.steps) == {"Bad", "Notify"}


def test_a_refused_creation_fails_the_step_with_the_details(run, build, jobs):
    jobs.refuse("Prepare", AwsError("ValidationException", "Could not find the image."))
    done = run(build.definition(build.processing("Prepare")))
    assert done.steps["Prepare"]["FailureReason"] == (
        "ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: Could not find the image."
    )


def test_an_invalid_resolved_request_fails_the_step_and_names_the_field(run, build):
    cluster = {"InstanceType": build.get("Parameters.Instance"), "InstanceCount": 1, "VolumeSizeInGB": 1}
    text = build.definition(
        build.processing("Prepare", extra={"ProcessingResources": {"ClusterConfig": cluster}}),
        parameters=(build.parameter("Instance", default="ml.m5.huge"),),
    )
    done = run(text)
    assert done.steps["Prepare"]["FailureReason"].startswith(
        "ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: 1 validation error detected: "
        "Value 'ml.m5.huge' at 'processingResources.clusterConfig.instanceType' failed to satisfy constraint: Member "
        "must satisfy enum value set: ["
    )


def test_throttling_is_retried_without_a_policy(run, build, jobs, clock):
    jobs.refuse("Prepare", *(AwsError("ThrottlingException", "Rate exceeded") for _ in range(2)))
    done = run(build.definition(build.processing("Prepare")))
    assert done.status == "Succeeded"
    assert done.steps["Prepare"]["AttemptCount"] == 3
    assert clock.pauses == [1.0, 2.0]
    names = [request["ProcessingJobName"] for request in jobs.requests["Prepare"]]
    assert len(set(names)) == 3


def test_a_policy_retries_the_failures_it_names_until_its_last_attempt(run, build, jobs, clock):
    policy = {
        "ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"],
        "IntervalSeconds": 5,
        "BackoffRate": 3.0,
        "MaxAttempts": 2,
    }
    jobs.plan("Prepare", *[("Failed", "InternalServerError: we are sorry")] * 3)
    done = run(build.definition(build.processing("Prepare", RetryPolicies=[policy])))
    assert done.status == "Failed"
    assert done.steps["Prepare"]["AttemptCount"] == 3
    assert done.steps["Prepare"]["FailureReason"] == "ClientError: InternalServerError: we are sorry"
    assert clock.pauses == [5.0, 15.0]


def test_a_failing_script_is_not_retried(run, build, jobs, clock):
    policy = {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR", "Step.SERVICE_FAULT"], "MaxAttempts": 5}
    jobs.plan("Prepare", ("Failed", "AlgorithmError: exit code: 1"))
    done = run(build.definition(build.processing("Prepare", RetryPolicies=[policy])))
    assert (done.status, clock.pauses, done.steps["Prepare"]["AttemptCount"]) == ("Failed", [], 1)


CACHE = {"Enabled": True, "ExpireAfter": "P30D"}


def test_the_same_arguments_hit_the_cache_and_give_its_properties(run, build, jobs):
    text = build.definition(
        build.processing(
            "Prepare",
            outputs={"out": build.join("/", "s3://bucket", build.get("Execution.PipelineExecutionId"))},
            CacheConfig=CACHE,
        ),
        build.processing("Use", build.get("Steps.Prepare.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri")),
    )
    first, second, third = run(text), run(text), run(text)

    assert "CacheHitResult" not in first.steps["Prepare"]
    for later in (second, third):
        assert later.steps["Prepare"]["CacheHitResult"] == {"SourcePipelineExecutionArn": first.arn}
        assert later.steps["Prepare"]["Metadata"] == first.steps["Prepare"]["Metadata"]
    assert len(jobs.requests["Prepare"]) == 1
    arguments = [request["AppSpecification"]["ContainerArguments"] for request in jobs.requests["Use"]]
    assert arguments == [[f"s3://bucket/{first.arn.rsplit('/')[-1]}"]] * 3


def test_the_cache_is_missed_when_arguments_change_time_passes_or_the_run_failed(run, build, jobs, clock):
    def text(argument):
        return build.definition(build.processing("Prepare", argument, CacheConfig=CACHE))

    run(text("a"))
    assert "CacheHitResult" not in run(text("b")).steps["Prepare"]
    jobs.plan("Prepare", ("Failed", "AlgorithmError: no"))
    run(text("c"))
    assert "CacheHitResult" not in run(text("c")).steps["Prepare"]
    assert "CacheHitResult" in run(text("c")).steps["Prepare"]
    clock.advance(days=31)
    assert "CacheHitResult" not in run(text("a")).steps["Prepare"]


def test_the_cache_is_its_pipelines_own(run, build):
    text = build.definition(build.processing("Prepare", CacheConfig=CACHE))
    run(text, name="one")
    assert "CacheHitResult" not in run(text, name="two").steps["Prepare"]


def test_model_steps_call_sagemaker(run, build, client, jobs):
    container = {
        "Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/sklearn:1",
        "ModelDataUrl": build.get("Steps.Train.ModelArtifacts.S3ModelArtifacts"),
        "Environment": {"PARAMETERS": build.get("Parameters.Note")},
    }
    text = build.definition(
        build.training("Train"),
        {
            "Name": "Register_Model",
            "Type": "RegisterModel",
            "Arguments": {
                "ModelPackageGroupName": "engine-group",
                "ModelApprovalStatus": "Approved",
                "InferenceSpecification": {
                    "Containers": [container],
                    "SupportedContentTypes": ["text/csv"],
                    "SupportedResponseMIMETypes": ["text/csv"],
                },
            },
        },
        {
            "Name": "Create_Model",
            "Type": "Model",
            "Arguments": {"ExecutionRoleArn": build.role, "PrimaryContainer": container},
            "DependsOn": ["Register_Model"],
        },
        {
            "Name": "Predict",
            "Type": "Transform",
            "Arguments": {
                "ModelName": build.get("Steps.Create_Model.ModelName"),
                "TransformInput": {
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/x.csv"}}
                },
                "TransformOutput": {"S3OutputPath": "s3://bucket/out"},
                "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            },
        },
        build.processing("Publish", build.get("Steps.Register_Model.ModelPackageArn")),
        parameters=(build.parameter("Note", default="n"),),
    )
    done = run(text)

    assert done.status == "Succeeded", done.steps
    package_arn = done.steps["Register_Model"]["Metadata"]["RegisterModel"]["Arn"]
    package = client("sagemaker").describe_model_package(ModelPackageName=package_arn)
    model_url = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    assert model_url.startswith("s3://models/pipelines-")
    assert package["MetadataProperties"]["GeneratedBy"] == done.arn
    model_name = jobs.requests["Predict"][0]["ModelName"]
    assert model_name.startswith(f"pipelines-{done.arn.rsplit('/')[-1]}-Create-Model-")
    described = client("sagemaker").describe_model(ModelName=model_name)
    assert described["PrimaryContainer"]["ModelDataUrl"] == model_url
    assert done.steps["Create_Model"]["Metadata"]["Model"]["Arn"] == described["ModelArn"]
    assert done.steps["Predict"]["Metadata"]["TransformJob"]["Arn"].endswith(
        jobs.requests["Predict"][0]["TransformJobName"].lower()
    )
    assert jobs.requests["Publish"][0]["AppSpecification"]["ContainerArguments"] == [package_arn]


def test_a_model_packages_name_is_a_prefix_and_a_version_has_none(run, build, client, unique):
    containers = {"Containers": [{"Image": "image", "ModelDataUrl": "s3://b/m.tar.gz"}]}
    specification = {**containers, "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    given = {"ModelPackageName": "bikes", "InferenceSpecification": specification}
    register = {"Name": "Register", "Type": "RegisterModel", "Arguments": given}
    done = run(build.definition(register))
    arn = done.steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    assert f"model-package/bikes-{done.arn.rsplit('/', maxsplit=1)[-1]}-" in arn

    version = {**register, "Arguments": {**given, "ModelPackageGroupName": unique}}
    done = run(build.definition(version))
    assert done.status == "Succeeded", done.steps
    assert done.steps["Register"]["Metadata"]["RegisterModel"]["Arn"].endswith(f"model-package/{unique}/1")


def test_an_endpoint_configuration_is_created_for_a_model(run, build, client, jobs, unique):
    model = {
        "Name": "Model",
        "Type": "Model",
        "Arguments": {
            "ExecutionRoleArn": build.role,
            "PrimaryContainer": {"Image": "image", "ModelDataUrl": "s3://b/model.tar.gz"},
        },
    }
    variant = {
        "VariantName": "all",
        "ModelName": build.get("Steps.Model.ModelName"),
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    config = {"Name": "Configure", "Type": "EndpointConfig", "Arguments": {"ProductionVariants": [variant]}}
    name = build.get("Steps.Configure.EndpointConfigName")
    instance = build.get("Steps.Configure.ProductionVariants['all'].InstanceType")
    done = run(build.definition(model, config, build.processing("Use", name, instance)))

    assert done.status == "Succeeded", done.steps
    [given, instance_type] = jobs.requests["Use"][0]["AppSpecification"]["ContainerArguments"]
    assert given.startswith(f"pipelines-{done.arn.rsplit('/', maxsplit=1)[-1]}-Configure-")
    assert instance_type == "ml.m5.large"
    described = client("sagemaker").describe_endpoint_config(EndpointConfigName=given)
    arn = done.steps["Configure"]["Metadata"]["EndpointConfig"]["Arn"]
    assert described["EndpointConfigArn"] == arn

    named = {**config, "Arguments": {**config["Arguments"], "EndpointConfigName": unique}}
    assert run(build.definition(model, named)).steps["Configure"]["StepStatus"] == "Succeeded"
    again = run(build.definition(model, named)).steps["Configure"]
    assert again["FailureReason"] == (
        "ClientError: Failed to invoke sagemaker:CreateEndpointConfig. Error Details: "
        f"Cannot create already existing endpoint configuration [{unique}]."
    )


def test_status_changes_are_sent_in_order_with_awss_shapes(run, build, events):
    done = run(build.definition(build.processing("Prepare")), PipelineExecutionDisplayName="mine")

    shown = [
        (
            event["detail"].get("stepName"),
            event["detail"].get("currentStepStatus") or event["detail"]["currentPipelineExecutionStatus"],
        )
        for event in events
    ]
    assert shown == [
        (None, "Executing"),
        ("Prepare", "Starting"),
        ("Prepare", "Executing"),
        ("Prepare", "Succeeded"),
        (None, "Succeeded"),
    ]
    last, step = events[-1], events[-2]
    assert last["source"] == "aws.sagemaker"
    assert last["detail-type"] == "SageMaker Model Building Pipeline Execution Status Change"
    assert last["resources"] == ["arn:aws:sagemaker:us-east-1:123456789012:pipeline/demo", done.arn]
    assert last["detail"]["previousPipelineExecutionStatus"] == "Executing"
    assert last["detail"]["pipelineExecutionDisplayName"] == "mine"
    assert last["detail"]["executionEndTime"].endswith("Z")
    assert step["detail-type"] == "SageMaker Model Building Pipeline Execution Step Status Change"
    assert step["detail"]["metadata"] == {
        "processingJob": {"arn": done.steps["Prepare"]["Metadata"]["ProcessingJob"]["Arn"]}
    }
    assert (step["detail"]["previousStepStatus"], step["detail"]["stepType"]) == ("Executing", "Processing")


def test_only_the_event_of_a_step_says_why_it_failed(run, build, events, jobs):
    jobs.plan("Bad", ("Failed", "AlgorithmError: no"))
    run(build.definition(build.processing("Bad")))
    assert events[-2]["detail"]["failureReason"] == "ClientError: AlgorithmError: no"
    assert events[-1]["detail"]["currentPipelineExecutionStatus"] == "Failed"
    assert set(events[-1]["detail"]) == {
        "pipelineExecutionDisplayName",
        "currentPipelineExecutionStatus",
        "previousPipelineExecutionStatus",
        "executionStartTime",
        "executionEndTime",
        "pipelineArn",
        "pipelineExecutionArn",
    }


def test_an_event_receiver_that_fails_does_not_disturb(open_service, build, caplog):
    def broken(_event):
        raise RuntimeError("receiver")

    service = open_service(on_event=broken)
    service.catalog.create(
        {
            "PipelineName": "p",
            "RoleArn": build.role,
            "PipelineDefinition": build.definition(build.processing("Prepare")),
        }
    )
    arn = service.executions.start({"PipelineName": "p"})["PipelineExecutionArn"]
    assert service.executions.wait(arn, 30) == "Succeeded"
    assert "receiver" in caplog.text


def test_a_bug_in_a_step_fails_it_instead_of_hanging(run, build, jobs, caplog):
    jobs.refuse("Prepare", RuntimeError("surprise"))
    done = run(build.definition(build.processing("Prepare")))
    assert done.steps["Prepare"]["FailureReason"] == "InternalFailure: RuntimeError: surprise"
    assert "surprise" in caplog.text
