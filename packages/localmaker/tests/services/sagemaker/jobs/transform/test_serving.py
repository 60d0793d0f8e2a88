"""What a model's program sees and may return in a transform job, as in AWS's scikit-learn image."""

import json

import pytest

from localmaker.sandbox.sandbox import Isolation, detect_isolation
from localmaker.services.sagemaker.jobs.kinds import JobKind

KIND = JobKind.TRANSFORM
# Answers with what each function was given.
SEEN = """
import json, os

def model_fn(model_dir):
    return sorted(os.path.relpath(os.path.join(folder, name), model_dir)
                  for folder, _, names in os.walk(model_dir) for name in names)

def input_fn(body, content_type):
    return [type(body).__name__, repr(body), content_type]

def predict_fn(data, model):
    variables = {name: value for name, value in os.environ.items() if name.startswith(("SAGEMAKER_", "MINE"))}
    return {"input": data, "model": model, "variables": variables}

def output_fn(prediction, accept):
    return json.dumps({**prediction, "accept": accept})
"""
# Knows nothing but how to predict: what the model is given, it answers.
PLAIN = """
class Same:
    def predict(self, data):
        return data

def model_fn(model_dir):
    return Same()
"""


@pytest.fixture(scope="module")
def seen(remote):
    return remote.create_model({"code/inference.py": SEEN, "deep/er/weights.bin": b"\0"}, Environment={"MINE": "1"})


@pytest.fixture(scope="module")
def plain(remote):
    return remote.create_model({"code/inference.py": PLAIN})


def run(remote, model, body, content_type="text/csv", accept="text/csv", **fields):
    """Return the description and the one output of a job over one object."""
    uri = remote.put(f"{remote.name()}/data", body)
    request = remote.transform_request(model, uri, **{"split": "None", "assemble": "None", **fields})
    types = (("TransformInput", "ContentType", content_type), ("TransformOutput", "Accept", accept))
    for structure, field, value in types:
        if value is None:
            del request[structure][field]
        else:
            request[structure][field] = value
    description = remote.run(KIND, request)
    return description, remote.outputs(description).get("data.out")


@pytest.mark.parametrize(
    ("content_type", "arrives_as"),
    [
        ("text/csv", ["str", "'1,2\\n'", "text/csv"]),
        ("application/json", ["str", "'1,2\\n'", "application/json"]),
        ("application/jsonlines", ["bytes", "b'1,2\\n'", "application/jsonlines"]),
        ("text/csv; charset=utf-8", ["bytes", "b'1,2\\n'", "text/csv; charset=utf-8"]),
        (None, ["str", "'1,2\\n'", "application/json"]),
    ],
)
def test_text_types_arrive_as_text_and_all_others_as_bytes(remote, seen, content_type, arrives_as):
    _, answer = run(remote, seen, "1,2\n", content_type)
    assert json.loads(answer)["input"] == arrives_as


@pytest.mark.parametrize(("accept", "asked"), [("text/csv", "text/csv"), (None, "application/json")])
def test_accept_is_json_unless_said_otherwise(remote, seen, accept, asked):
    _, answer = run(remote, seen, "1", accept=accept)
    assert json.loads(answer)["accept"] == asked


def test_default_of_accept_can_be_set(remote, seen):
    _, answer = run(
        remote, seen, "1", accept=None, Environment={"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv", "MINE": "2"}
    )
    found = json.loads(answer)
    assert found["accept"] == "text/csv"
    assert found["variables"]["MINE"] == "2"


def test_container_is_told_what_the_request_says_and_no_more(remote, seen):
    _, answer = run(remote, seen, "1")
    variables = json.loads(answer)["variables"]
    assert {name for name in variables if name.startswith("SAGEMAKER_")} == {"SAGEMAKER_BATCH"}
    assert variables["SAGEMAKER_BATCH"] == "true"
    _, answer = run(
        remote, seen, "1", MaxPayloadInMB=2, MaxConcurrentTransforms=3, BatchStrategy="SingleRecord", split="Line"
    )
    variables = json.loads(answer)["variables"]
    assert variables["SAGEMAKER_MAX_PAYLOAD_IN_MB"] == "2"
    assert variables["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] == "3"
    assert variables["SAGEMAKER_BATCH_STRATEGY"] == "SINGLE_RECORD"


def test_artefact_keeps_its_folders(remote, seen):
    _, answer = run(remote, seen, "1")
    assert json.loads(answer)["model"] == ["code/inference.py", "deep/er/weights.bin"]


@pytest.mark.parametrize(
    ("body", "accept", "expected"),
    [
        ("1,2\n3,4\n", "text/csv", b"1.0,2.0\n3.0,4.0\n"),
        ("1,2\n3,4\n", "application/json", b"[[1.0, 2.0], [3.0, 4.0]]"),
        ("1,2\n3,4\n", None, b"[[1.0, 2.0], [3.0, 4.0]]"),
        ("1,2\n", "text/csv", b"1.0\n2.0\n"),  # one row has one dimension only
    ],
)
def test_default_functions_are_the_images(remote, plain, body, accept, expected):
    assert run(remote, plain, body, accept=accept)[1] == expected


@pytest.mark.parametrize(
    ("body", "content_type", "accept"),
    [
        ("a,b\n1,2\n", "text/csv", "text/csv"),  # a header is a row like any other
        ("1,\n", "text/csv", "text/csv"),
        ("1,2\n", "text/csv; charset=utf-8", "text/csv"),
        ("1,2\n", "text/plain", "text/csv"),
        ("1,2\n", "text/csv", "text/plain"),
        ("{", "application/json", "text/csv"),
    ],
)
def test_what_the_default_functions_cannot_read_or_write_is_status_500(remote, plain, body, content_type, accept):
    description, output = run(remote, plain, body, content_type, accept)
    assert description["TransformJobStatus"] == "Failed"
    assert "AlgorithmError: See job logs for more information" in description["FailureReason"]
    assert "Bad HTTP status received from algorithm: 500" in description["FailureReason"]
    assert output is None


def test_numpy_arrays_go_both_ways(remote, plain):
    program = "import numpy; numpy.save('/opt/ml/processing/output/out/array.npy', numpy.array([[1, 2], [3, 4]]))"
    made = remote.run(JobKind.PROCESSING, remote.processing_request(f'python3 -c "{program}"'))
    array = remote.read(f"{made['ProcessingJobName']}/out/array.npy")
    npy = "application/x-npy"
    assert run(remote, plain, array, npy, npy)[1] == array
    assert run(remote, plain, array, npy, "text/csv")[1] == b"1,2\n3,4\n"


def test_transform_fn_excludes_the_other_functions(remote):
    model = remote.create_model(
        {"code/inference.py": "def model_fn(_): pass\ndef transform_fn(*_): return ''\ndef input_fn(*_): pass"}
    )
    description, _ = run(remote, model, "1")
    assert "the model server ended while it loaded the model" in description["FailureReason"]
    assert "Cannot use transform_fn implementation with" in remote.log(KIND, description["TransformJobName"])


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("'text'", b"text"),
        ("(b'bytes', accept)", b"bytes"),
        ("{'a': [1]}", b'{"a": [1]}'),
        ("flask.Response('flask', status=200, mimetype=accept)", b"flask"),
        ("None", None),
        ("1.5", None),
        ("flask.Response('no', status=503)", None),
    ],
)
def test_forms_of_an_answer(remote, result, expected):
    program = f"import flask\ndef model_fn(_): pass\ndef transform_fn(model, body, kind, accept): return {result}"
    description, output = run(remote, remote.create_model({"code/inference.py": program}), "1")
    assert output == expected, description
    assert description["TransformJobStatus"] == ("Failed" if expected is None else "Completed")


COUNTING = """
import flask, os
calls = 0

def model_fn(_): pass

def transform_fn(model, body, content_type, accept):
    global calls
    calls += 1
    print("call", calls, flush=True)
    return flask.Response(f"call {calls}", status=200 if calls == int(os.environ["GOOD"]) else int(os.environ["BAD"]))
"""


@pytest.mark.parametrize(
    ("good", "retries", "expected", "calls"),
    [(4, None, b"call 4", 4), (5, None, None, 4), (2, 0, None, 1), (2, 1, b"call 2", 2)],
)
def test_failed_requests_are_sent_again_three_times_by_default(remote, good, retries, expected, calls):
    model = remote.create_model({"code/inference.py": COUNTING}, Environment={"GOOD": str(good), "BAD": "500"})
    fields = {} if retries is None else {"ModelClientConfig": {"InvocationsMaxRetries": retries}}
    description, output = run(remote, model, "1", **fields)
    assert output == expected, description
    lines = remote.log(KIND, description["TransformJobName"]).splitlines()
    assert [line for line in lines if line.startswith("call ")] == [f"call {number}" for number in range(1, calls + 1)]


def test_request_that_the_algorithm_refuses_is_the_clients_error(remote):
    model = remote.create_model({"code/inference.py": COUNTING}, Environment={"GOOD": "2", "BAD": "400"})
    description, output = run(remote, model, "1")
    assert output is None
    reason = description["FailureReason"]
    assert reason.startswith("ClientError: See job logs for more information: s3://artifacts/")
    assert reason.endswith("400 call 1")


def test_sagemakers_own_log_tells_settings_and_failures(remote):
    model = remote.create_model({"code/inference.py": COUNTING}, Environment={"GOOD": "2", "BAD": "400"})
    description, _ = run(remote, model, "1")
    name = description["TransformJobName"]
    streams = remote.logs.describe_log_streams(logGroupName=KIND.log_group, logStreamNamePrefix=f"{name}/")
    names = [each["logStreamName"] for each in streams["logStreams"]]
    (stream,) = (each for each in names if each.endswith("/data-log"))
    events = remote.logs.get_log_events(logGroupName=KIND.log_group, logStreamName=stream, startFromHead=True)["events"]
    lines = [event["message"].partition(":[sagemaker logs]: ")[2] for event in events]
    place = description["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"].removeprefix("s3://")
    assert lines == [
        "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD",
        f"{place}: ClientError: 400",
        f"{place}: ",
        f"{place}: Message:",
        f"{place}: call 1",
    ]


PARAMETERS = """
def model_fn(_): pass
def transform_fn(model, body, content_type, accept): return body
def execution_parameters_fn():
    return {"MaxConcurrentTransforms": 2, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 3}
"""


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, b"1\n\n2\n\n"),
        ({"MaxConcurrentTransforms": 0}, b"1\n\n2\n\n"),
        ({"BatchStrategy": "MultiRecord"}, b"1\n2\n\n"),
    ],
)
def test_model_says_how_it_wants_to_be_asked_where_the_request_does_not(remote, fields, expected):
    model = remote.create_model({"code/inference.py": PARAMETERS})
    description, output = run(remote, model, "1\n2\n", split="Line", assemble="Line", **fields)
    assert output == expected, description
    strategy = "MULTI" if "BatchStrategy" in fields else "SINGLE"
    log = remote.log(KIND, description["TransformJobName"])
    assert f"MaxConcurrentTransforms=2, MaxPayloadInMB=3, BatchStrategy={strategy}_RECORD" in log


def test_execution_parameters_that_are_none_fail_the_job(remote):
    program = PARAMETERS.replace('"SINGLE_RECORD"', '"ALL"')
    description, _ = run(remote, remote.create_model({"code/inference.py": program}), "1")
    assert "the model's execution parameters cannot be used" in description["FailureReason"]


def test_strategy_without_a_split_type_sends_the_object_whole(remote, seen):
    _, answer = run(remote, seen, "1\n2\n", BatchStrategy="MultiRecord")
    found = json.loads(answer)
    assert found["input"] == ["str", "'1\\n2\\n'", "text/csv"]
    assert found["variables"]["SAGEMAKER_BATCH_STRATEGY"] == "MULTI_RECORD"


@pytest.mark.skipif(
    detect_isolation() is Isolation.NONE, reason="without namespaces a job shares the machine's network"
)
def test_isolated_model_has_no_network(remote):
    program = """
import os, socket
from urllib.parse import urlsplit

def model_fn(_): pass

def transform_fn(model, body, content_type, accept):
    try:
        socket.create_connection(("127.0.0.1", urlsplit(os.environ["AWS_ENDPOINT_URL"]).port)).close()
    except OSError as error:
        return type(error).__name__
    return "connected"
"""
    files = {"code/inference.py": program}
    installing = {"PIP_NO_BUILD_ISOLATION": "0"}
    isolated = remote.create_model(files, EnableNetworkIsolation=True, Environment=installing)
    assert remote.sagemaker.describe_model(ModelName=isolated)["EnableNetworkIsolation"] is True
    assert run(remote, isolated, "1")[1] == b"ConnectionRefusedError"
    other = remote.create_model(files)
    assert remote.sagemaker.describe_model(ModelName=other)["EnableNetworkIsolation"] is False
    assert run(remote, other, "1")[1] == b"connected"
