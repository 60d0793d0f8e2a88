"""Lambda steps: registered and uploaded functions, their answers, failures, time-outs, stop."""

from __future__ import annotations

import io
import json
import re
import time
import uuid
import zipfile

import psutil
import pytest

from localmaker.services.lambda_.table import FunctionTableError, function_name, read_table

ARN = "arn:aws:lambda:us-east-1:123456789012:function:{}"


@pytest.fixture
def state(tmp_path):
    """Return the service's state directory."""
    directory = tmp_path / "state"
    directory.mkdir(exist_ok=True)
    return directory


@pytest.fixture
def register(state):
    """Register a source's ``handler`` as a function, ``f`` by default."""

    def write(source, *lines, name="f"):
        (state / "code.py").write_text(source)
        entry = ["[[function]]", f'name = "{name}"', 'handler = "code.py:handler"', *lines]
        (state / "functions.toml").write_text("\n".join(entry))

    return write


def step(name="Call", function="f", arguments=None, **outputs):
    return {
        "Name": name,
        "Type": "Lambda",
        "FunctionArn": ARN.format(function),
        "Arguments": arguments or {},
        "OutputParameters": [{"OutputName": key, "OutputType": kind} for key, kind in outputs.items()],
    }


def test_a_registered_function_gets_arguments_and_gives_outputs(run, build, register, state, *, jobs, client):
    (state / "helper.py").write_text("def add(a, b):\n    return a + b\n")
    register(
        "import helper, os\n"
        "def handler(event, context):\n"
        "    assert context.get_remaining_time_in_millis() > 0\n"
        "    print('called with', event)\n"
        "    return {'sum': helper.add(event['a'], event['b']), 'called': context.function_name,\n"
        "            'url': os.environ['AWS_ENDPOINT_URL'], 'level': os.environ['LEVEL'], 'more': [1]}\n",
        'environment = { LEVEL = "info" }',
    )
    text = build.definition(
        step(
            arguments={"a": 1, "b": build.get("Parameters.B")},
            sum="Integer",
            called="String",
            url="String",
            level="String",
        ),
        build.processing("Use", build.join("-", *(build.get(f"Steps.Call.OutputParameters['{n}']") for n in NAMES))),
        parameters=(build.parameter("B", "Integer", 2),),
    )
    done = run(text)

    assert done.status == "Succeeded", done.steps
    url = client("s3").meta.endpoint_url
    assert jobs.requests["Use"][0]["AppSpecification"]["ContainerArguments"] == [f"3-f-{url}-info"]
    assert done.steps["Call"]["Metadata"]["Lambda"] == {
        "Arn": ARN.format("f"),
        "OutputParameters": [
            {"Name": "sum", "Value": "3"},
            {"Name": "called", "Value": "f"},
            {"Name": "url", "Value": url},
            {"Name": "level", "Value": "info"},
        ],
    }
    assert "called with {'a': 1, 'b': 2}" in (state / "functions" / "f.log").read_text()


NAMES = ("sum", "called", "url", "level")


def test_the_output_goes_to_cloudwatch_logs_as_lambdas_does(run, build, register, client, unique):
    register(
        "import logging\n"
        "def handler(event, context):\n"
        "    print('two\\nlines from', context.log_group_name, context.log_stream_name)\n"
        "    logging.getLogger().setLevel('INFO')\n"
        "    logging.info('counted')\n"
        "    raise ValueError('no rows')\n",
        name=unique,
    )
    run(build.definition(step(function=unique)))

    logs, group = client("logs"), f"/aws/lambda/{unique}"
    [stream] = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream["logStreamName"])
    lines = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
    started = re.fullmatch(r"START RequestId: ([0-9a-f-]{36}) Version: \$LATEST", lines[0])
    assert lines[1:3] == ["two", f"lines from {group} {stream['logStreamName']}"]
    assert re.fullmatch(rf"\[INFO\]\t[0-9-]{{10}}T[0-9:.]{{12}}Z\t{started[1]}\tcounted", lines[3])
    assert lines[4:6] == ["[ERROR] ValueError: no rows", "Traceback (most recent call last):"]
    assert lines[-2] == f"END RequestId: {started[1]}"
    report = rf"REPORT RequestId: {started[1]}\tDuration: [0-9.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB"
    assert re.fullmatch(report, lines[-1])


def test_a_time_out_is_told_in_the_log(run, build, register, client, unique):
    register("import time\ndef handler(event, context):\n    time.sleep(600)\n", "timeout = 1", name=unique)
    run(build.definition(step(function=unique)))

    events = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{unique}")["events"]
    assert [one for one in events if one["message"].endswith("Task timed out after 1.00 seconds")]


def test_a_process_that_a_function_leaves_behind_ends_with_it(run, build, register, state):
    register(
        "import pathlib, subprocess\n"
        "def handler(event, context):\n"
        "    child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        f"    pathlib.Path({str(state / 'child')!r}).write_text(str(child.pid))\n"
        "    return {'x': 'done'}\n"
    )
    done = run(build.definition(step(x="String")))
    assert done.status == "Succeeded", done.steps
    assert not psutil.pid_exists(int((state / "child").read_text()))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "raise ValueError('no rows')",
            "ClientError: Lambda function [f] failed: ValueError: no rows. Its output is in",
        ),
        ("import os; os._exit(3)", "failed: its process ended with exit code 3"),
        ("return {'y': 1}", 'returned {"y": 1}: output parameters [x] are declared and were not given; given: y.'),
        ("return {'x': 'one'}", "output parameter [x] is [one], which is not of type [Integer]"),
        ("return object()", "failed: TypeError: Object of type object is not JSON serializable"),
        ("return 'text'", 'returned "text": output parameters [x] are declared'),
    ],
    ids=["raises", "dies", "missing", "type", "no JSON", "no dictionary"],
)
def test_what_goes_wrong_in_a_function_is_the_reason_of_the_step(run, build, register, body, said):
    register(f"def handler(event, context):\n    {body}\n")
    done = run(build.definition(step(x="Integer")))
    assert done.status == "Failed"
    assert said in done.steps["Call"]["FailureReason"]


def test_a_function_over_its_time_is_killed_with_what_it_started(run, build, register, state):
    register(
        "import pathlib, subprocess, time\n"
        "def handler(event, context):\n"
        "    child = subprocess.Popen(['sleep', '600'])\n"
        f"    pathlib.Path({str(state / 'child')!r}).write_text(str(child.pid))\n"
        "    time.sleep(600)\n",
        "timeout = 4",
    )
    done = run(build.definition(step()))
    assert "Lambda function [f] did not end within 4 seconds and was killed." in done.steps["Call"]["FailureReason"]
    child = int((state / "child").read_text())
    deadline = time.monotonic() + 30  # a killed process is gone soon, not at once
    while is_running(child):
        assert time.monotonic() < deadline, f"process {child} still runs"
        time.sleep(0.05)


def is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_an_unknown_function_says_how_to_register_it(run, build, state):
    done = run(build.definition(step(function="nobody")))
    assert done.steps["Call"]["FailureReason"] == (
        "ClientError: Failed to invoke lambda:Invoke. Error Details: no local function stands in for the Lambda "
        f"function [nobody]. Add these lines to {state / 'functions.toml'}: "
        '[[function]] name = "nobody" handler = "/path/to/file.py:handler"'
    )


def waiting_handler(state):
    """Register a function that reports its start and ends when it is released."""
    return (
        "import pathlib, time\n"
        f"state = pathlib.Path({str(state)!r})\n"
        "def handler(event, context):\n"
        "    (state / 'running').touch()\n"
        "    while not (state / 'go on').exists():\n"
        "        time.sleep(0.01)\n"
        "    return {}\n"
    )


@pytest.fixture
def await_running(state):
    def wait():
        while not (state / "running").exists():
            pass

    return wait


def test_a_stop_waits_for_the_function(start, finish, call, build, *, register, state, await_running):
    register(waiting_handler(state))
    arn = start(build.definition(step(), build.fail("Never", "x", DependsOn=["Call"])))
    await_running()
    call("StopPipelineExecution", PipelineExecutionArn=arn)
    described = call("DescribePipelineExecution", PipelineExecutionArn=arn)
    assert described["PipelineExecutionStatus"] == "Stopping"
    (state / "go on").touch()
    done = finish(arn)
    assert (done.status, set(done.steps)) == ("Stopped", {"Call"})
    assert done.steps["Call"]["StepStatus"] == "Succeeded"


def test_a_stop_that_meets_a_time_out_leaves_a_failed_execution(
    start, finish, call, build, *, register, state, await_running
):
    register(waiting_handler(state), "timeout = 2")
    arn = start(build.definition(step()))
    await_running()
    call("StopPipelineExecution", PipelineExecutionArn=arn)
    assert finish(arn).status == "Failed"


def test_close_kills_the_function(start, build, service, register, *, state, await_running, open_service):
    register(waiting_handler(state))
    arn = start(build.definition(step()))
    await_running()
    service.close()
    [listed] = open_service().executions.list_steps({"PipelineExecutionArn": arn})["PipelineExecutionSteps"]
    assert "the local endpoint was stopped" in listed["FailureReason"]


def test_an_uploaded_function_runs_without_being_registered(run, build, client):
    policy = {"Version": "2012-10-17", "Statement": []}
    name = f"f-{uuid.uuid4().hex[:8]}"
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy))["Role"]["Arn"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(
            "pkg/code.py",
            "import os\ndef answer(event, context):\n    return {'x': os.environ['MORE'] + event['y']}\n",
        )
    client("lambda").create_function(
        FunctionName=name,
        Role=role,
        Runtime="python3.12",
        Handler="pkg/code.answer",
        Timeout=60,
        Environment={"Variables": {"MORE": "more "}},
        Code={"ZipFile": packed.getvalue()},
    )
    done = run(build.definition(step(function=name, arguments={"y": "rows"}, x="String")))
    assert done.status == "Succeeded", done.steps
    [output] = done.steps["Call"]["Metadata"]["Lambda"]["OutputParameters"]
    assert output == {"Name": "x", "Value": "more rows"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('handler = "code.py"', "must be a file and a function in it"),
        ('handler = "code.py:f"\ntimeout = 0', "timeout of 'f' is 0 s; it must be from 1 to 600"),
        ('handler = "code.py:f"\nmemory = 1', "unknown key 'memory'; known: environment, handler"),
        ("handler = ", "Invalid value"),
    ],
    ids=["handler", "timeout", "key", "toml"],
)
def test_a_bad_table_is_refused(tmp_path, line, said):
    table = tmp_path / "functions.toml"
    table.write_text(f'[[function]]\nname = "f"\n{line}\n')
    with pytest.raises(FunctionTableError, match=r"functions\.toml") as caught:
        list(read_table(table))
    assert said in str(caught.value)


def test_functions_are_known_by_name_version_or_alias():
    assert function_name(ARN.format("f")) == "f"
    assert function_name(ARN.format("f:live")) == "f"
    assert function_name("f") == "f"
