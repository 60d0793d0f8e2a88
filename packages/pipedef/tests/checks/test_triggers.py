"""What starts the pipeline."""

from dataclasses import replace

import pytest

from pipedef.document.locations import overlap


def with_parameters(deployment, parameters):
    return replace(
        deployment, triggers=tuple(replace(trigger, parameters=parameters) for trigger in deployment.triggers)
    )


@pytest.mark.parametrize("flow", ["training", "scoring"])
def test_good_triggers_match(compiled, problems, deployments, request, flow):
    draft = request.getfixturevalue(flow)
    assert len(deployments[flow].own_triggers) == 1
    assert problems("trigger-parameters", draft, deployments[flow]) == []
    assert problems("trigger-loops", draft, deployments[flow]) == []


def test_a_parameter_that_the_pipeline_lacks_is_found(training, problems):
    training.parameter("InputETag")["Name"] = "InputEtag"
    (found,) = problems("trigger-parameters", training)
    assert "sets InputETag, which the pipeline does not declare" in found.message


def test_a_parameter_of_another_type_is_found(training, problems):
    training.parameter("InputETag").update(Type="Integer", DefaultValue=0)
    (found,) = problems("trigger-parameters", training)
    assert "of type Integer" in found.message


def test_a_parameter_that_nothing_sets_is_found(training, problems):
    del training.parameter("Profile")["DefaultValue"]
    (found,) = problems("trigger-parameters", training)
    assert "Profile has no default" in found.message


def test_a_text_in_place_of_a_path_is_found(training, problems, deployments):
    parameters = {**deployments["training"].own_triggers[0].parameters, "InputKey": "detail.object.key"}
    (found,) = problems("trigger-parameters", training, with_parameters(deployments["training"], parameters))
    assert "not a JSON path" in found.message


def test_an_empty_text_in_place_of_a_path_is_found(training, problems, deployments):
    parameters = {**deployments["training"].own_triggers[0].parameters, "InputETag": ""}
    (found,) = problems("trigger-parameters", training, with_parameters(deployments["training"], parameters))
    assert "sets InputETag to an empty text. StartPipelineExecution refuses one" in found.message
    assert "Use a word" in found.fix


KEY = {"Get": "Parameters.InputKey"}


@pytest.mark.parametrize("flow", ["training", "scoring"])
def test_a_key_may_go_to_a_function_and_where_there_is_room(compiled, problems, deployments, request, flow):
    draft = request.getfixturevalue(flow)
    assert draft.arguments("ClaimInput")["key"] == KEY
    draft.arguments("Preprocess")["ProcessingInputs"][0]["S3Input"]["S3Uri"] = KEY
    assert problems("key-lengths", draft, deployments[flow]) == []


@pytest.mark.parametrize(
    ("place", "value", "most"),
    [
        (("AppSpecification", "ContainerArguments", 1), KEY, 256),
        (("AppSpecification", "ContainerArguments", 1), {"Std:Join": {"On": "/", "Values": ["x", KEY]}}, 256),
        (("Environment", "AWS_DEFAULT_REGION"), KEY, 256),
        (
            ("ProcessingInputs", 0, "S3Input", "S3Uri"),
            {"Std:Join": {"On": "/", "Values": ["s3:/", {"Get": "Parameters.InputBucket"}, KEY]}},
            1024,
        ),
    ],
)
def test_a_key_that_may_be_too_long_is_found(training, problems, place, value, most):
    *above, last = place
    inside = training.arguments("Preprocess")
    for name in above:
        inside = inside[name]
    inside[last] = value
    (found,) = problems("key-lengths", training)
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    assert (found.step, found.field) == ("Preprocess", f"Arguments{field}")
    message = f"InputKey is an object's key, of up to 1024 characters; at most {most} are allowed."
    assert found.message == message


def test_a_parameter_that_is_no_key_may_go_anywhere(training, problems, deployments):
    training.arguments("Preprocess")["AppSpecification"]["ContainerArguments"][1] = KEY
    parameters = {"InputKey": "$.detail.object.etag", "InputBucket": "$.detail.object.key"}
    assert problems("key-lengths", training, with_parameters(deployments["training"], parameters)) == []


def output(draft, step):
    return draft.arguments(step)["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]


def test_an_output_below_a_triggers_prefix_is_found(training, problems, raw_bucket):
    output(training, "Evaluate")["S3Uri"] = f"s3://{raw_bucket}/raw/training/reports"
    (found,) = problems("trigger-loops", training)
    assert (found.step, found.field) == (
        "Evaluate",
        "Arguments.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri",
    )
    assert "endless loop" in found.message


def test_an_output_that_only_may_be_below_a_triggers_prefix_is_found(training, problems):
    key = {"Std:Join": {"On": "/", "Values": ["s3:/", {"Get": "Parameters.InputBucket"}, "raw"]}}
    training.arguments("Transform")["TransformOutput"]["S3OutputPath"] = key
    found = problems("trigger-loops", training)
    assert {problem.step for problem in found} == {"Transform"}


def test_an_output_that_starts_the_other_pipeline_is_found(training, problems, raw_bucket):
    training.arguments("Train")["OutputDataConfig"]["S3OutputPath"] = f"s3://{raw_bucket}/raw/scoring"
    (found,) = problems("trigger-loops", training)
    assert "rides-prod-scoring" in found.message


def test_a_location_that_a_script_is_given_is_looked_at(training, problems, raw_bucket):
    arguments = training.arguments("PublishPredictions")["AppSpecification"]["ContainerArguments"]
    arguments[arguments.index("--predictions-uri") + 1] = f"s3://{raw_bucket}"
    assert {problem.step for problem in problems("trigger-loops", training)} == {"PublishPredictions"}


def test_another_prefix_of_the_watched_bucket_is_no_loop(training, problems, raw_bucket):
    output(training, "Evaluate")["S3Uri"] = f"s3://{raw_bucket}/reports"
    assert problems("trigger-loops", training) == []


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("", "", True),
        ("*", "", True),
        ("a*c", "abc", True),
        ("a*c", "ab", False),
        ("a*", "*b", True),
        ("raw/*.csv", "raw/training/x*", True),
        ("raw/*.csv", "reports*", False),
        ("a*b*c", "a**c", True),
        ("ab*", "ac*", False),
    ],
)
def test_patterns_overlap(first, second, expected):
    assert overlap(first, second) is expected
    assert overlap(second, first) is expected


@pytest.mark.parametrize(
    ("step", "keys"),
    [
        ("Train", ("DebugHookConfig", "S3OutputPath")),
        ("Train", ("ProfilerConfig", "S3OutputPath")),
        ("Train", ("TensorBoardOutputConfig", "S3OutputPath")),
        ("Train", ("HyperParameters", "reports")),
        ("Transform", ("DataCaptureConfig", "DestinationS3Uri")),
        ("PublishPredictions", ("Environment", "COPY_TO")),
    ],
)
def test_every_place_that_a_job_writes_to_or_is_told_counts(training, problems, raw_bucket, step, keys):
    first, second = keys
    training.arguments(step).setdefault(first, {})[second] = f"s3://{raw_bucket}/raw/training/more"
    (found,) = problems("trigger-loops", training)
    assert (found.step, found.field) == (step, f"Arguments.{first}.{second}")


def test_an_output_that_goes_there_by_a_parameters_default_is_found(training, problems, raw_bucket):
    place = f"s3://{raw_bucket}/raw/scoring"
    training.content["Parameters"].append({"Name": "Place", "Type": "String", "DefaultValue": place})
    output(training, "Evaluate")["S3Uri"] = {
        "Std:Join": {"On": "/", "Values": [{"Get": "Parameters.Place"}, "reports"]}
    }
    (found,) = problems("trigger-loops", training)
    assert f"{place}/reports" in found.message


LAMBDA = {"Type": "Lambda", "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:a"}
CALLBACK = {"Type": "Callback", "SqsQueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/a"}


@pytest.mark.parametrize("step", [LAMBDA, CALLBACK])
def test_what_is_handed_over_counts(training, problems, raw_bucket, step):
    place = f"s3://{raw_bucket}/raw/training/more.csv"
    training.content["Steps"].append({"Name": "Hand", "Arguments": {"to": {"place": place}}, **step})
    (found,) = problems("trigger-loops", training)
    assert (found.step, found.field) == ("Hand", "Arguments.to.place")
