"""A process that has answered runs the next call, as in Lambda."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
from tests.services.lambda_.test_functions import Functions, packed_source

from localmaker.daemon import EndpointHandle
from localmaker.sandbox.sandbox import Isolation, detect_isolation
from localmaker.services.lambda_ import idle
from localmaker.services.lambda_.execution import Ending, Execution
from localmaker.services.lambda_.idle import IdleExecutions
from localmaker.services.lambda_.table import LocalFunction

SOURCE = """
import os, subprocess, time

calls = 0

def handler(event, context):
    global calls
    calls += 1
    print("call", calls)
    if event == "raise":
        raise ValueError(calls)
    if event == "exit":
        os._exit(3)
    if event == "leave":
        subprocess.Popen(["sleep", "600"])
    if event == "wait":
        time.sleep(60)
    while event == "meet":
        import boto3
        try:
            if boto3.client("lambda").get_function(FunctionName=context.function_name)["Configuration"]["Description"]:
                event = None
        except boto3.client("lambda").exceptions.ResourceNotFoundException:
            pass
    with open("/tmp/calls", "a") as file:
        file.write("x")
    return {
        "calls": calls,
        "kept": os.path.getsize("/tmp/calls"),
        "stream": [context.log_stream_name, os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]],
        "setting": os.environ.get("SETTING"),
    }
"""


@pytest.fixture
def functions(endpoint: EndpointHandle, unique: str) -> Functions:
    if detect_isolation() is Isolation.NONE:
        pytest.skip("without a sandbox, /tmp is the machine's")
    found = Functions(endpoint, unique)
    found.create(Code={"ZipFile": packed_source(SOURCE)})
    return found


def call(functions: Functions, event: Any = None, **more: Any) -> Any:
    return functions.call(Payload=json.dumps(event), **more)


def processes(endpoint: EndpointHandle) -> set[int]:
    return {one.pid for one in psutil.Process(endpoint.running.pid).children(recursive=True)}


def test_what_a_call_leaves_is_there_in_the_next(functions: Functions, endpoint: EndpointHandle) -> None:
    first, second = call(functions), call(functions)
    assert (first["calls"], second["calls"], second["kept"]) == (1, 2, 2)
    assert {*first["stream"], *second["stream"]} == {first["stream"][0]}
    events = endpoint.client("logs").get_log_events(
        logGroupName=f"/aws/lambda/{functions.name}", logStreamName=first["stream"][0]
    )["events"]
    lines = [event["message"].split(" RequestId")[0] for event in events]
    assert lines == ["START", "call 1", "END", "REPORT", "START", "call 2", "END", "REPORT"]


def test_an_exception_changes_nothing(functions: Functions) -> None:
    assert call(functions, "raise")["errorType"] == "ValueError"
    assert call(functions)["calls"] == 2


@pytest.mark.parametrize("event", ["exit", "leave"])
def test_a_process_that_cannot_go_on_is_replaced(functions: Functions, event: str) -> None:
    call(functions)
    call(functions, event)
    assert call(functions)["calls"] == 1


def test_one_that_is_out_of_time_is_replaced(functions: Functions) -> None:
    call(functions)
    functions.client.update_function_configuration(FunctionName=functions.name, Timeout=1)
    assert call(functions, "wait")["errorType"] == "Sandbox.Timedout"
    assert call(functions)["calls"] == 1


def test_a_change_of_the_function_starts_another_process(functions: Functions, endpoint: EndpointHandle) -> None:
    others = processes(endpoint)
    call(functions)
    mine = processes(endpoint) - others
    assert mine
    functions.client.update_function_configuration(
        FunctionName=functions.name, Environment={"Variables": {"SETTING": "new"}}
    )
    changed = call(functions)
    assert (changed["calls"], changed["setting"]) == (1, "new")
    assert not mine & processes(endpoint)
    functions.client.update_function_code(
        FunctionName=functions.name, ZipFile=packed_source(SOURCE.replace("calls = 0", "calls = 10"))
    )
    assert call(functions)["calls"] == 11


def test_a_removed_function_leaves_no_process(functions: Functions, endpoint: EndpointHandle) -> None:
    before = processes(endpoint)
    call(functions)
    mine = processes(endpoint) - before
    assert mine
    functions.client.delete_function(FunctionName=functions.name)
    assert not mine & processes(endpoint)


def test_a_function_created_anew_starts_anew(
    functions: Functions, endpoint: EndpointHandle, eventually: Callable[..., Any]
) -> None:
    late = threading.Thread(target=call, args=(functions, "meet"))
    before = processes(endpoint)
    late.start()
    assert eventually(lambda: processes(endpoint) - before)
    functions.client.delete_function(FunctionName=functions.name)
    functions.create(Code={"ZipFile": packed_source(SOURCE)}, Description="new")
    late.join()  # only now is its process ready for another call
    assert call(functions)["calls"] == 1


def test_versions_have_processes_of_their_own(functions: Functions) -> None:
    call(functions)
    version = functions.client.publish_version(FunctionName=functions.name)["Version"]
    assert call(functions, Qualifier=version)["calls"] == 1
    assert call(functions)["calls"] == 2
    assert f"/[{version}]" in call(functions, Qualifier=version)["stream"][0]


def test_calls_at_the_same_time_have_processes_of_their_own(functions: Functions) -> None:
    answers: list[Any] = []

    def one() -> None:
        answers.append(call(functions))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(answer["calls"] == 1 for answer in answers) == len({answer["stream"][0] for answer in answers})


CALL = "/var/call/call.json"
HOSTILE = """
import os

def handler(event, context):
    if event:
        if os.path.exists("{file}"):
            os.unlink("{file}")
        {trap}
    return "answered"
"""


@pytest.mark.parametrize("trap", ["os.symlink(event, '{file}')", "os.mkfifo('{file}')", "os.mkdir('{file}')"])
@pytest.mark.parametrize("name", [CALL, "/var/call/result.json"])
def test_no_trap_in_its_folder_concerns_the_machine(functions: Functions, tmp_path: Path, trap: str, name: str) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    source = HOSTILE.replace("{trap}", trap).replace("{file}", name)
    functions.client.update_function_code(FunctionName=functions.name, ZipFile=packed_source(source))
    if name == CALL:
        assert call(functions, str(mine)) == "answered"
    else:  # its own answer goes where its trap leads, in the sandbox
        functions.client.update_function_configuration(FunctionName=functions.name, Timeout=2)
        assert "errorType" in call(functions, str(mine))
    assert call(functions) == "answered"
    assert mine.read_text() == "mine"


class Deaf:
    """A process that lives and reads no calls."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def life(self) -> int:
        return self.reader


def test_a_call_that_nobody_reads_is_out_of_time() -> None:
    execution, process = Execution(of_code("f", "a")), Deaf()
    execution._process = cast(Any, process)
    assert execution.call({"event": "x" * (1 << 20)}, 0.1) is Ending.TIMED_OUT
    execution._process = None
    execution.close()
    for descriptor in (process.reader, process.writer):
        os.close(descriptor)


def of_code(name: str, digest: str) -> LocalFunction:
    return LocalFunction(name, Path("module.py"), "handler", digest=digest)


class Waiting(Execution):
    """A process that waits, without the process."""

    def __init__(self, name: str) -> None:
        super().__init__(of_code(name, "a"))
        self.closed = False

    def clear(self) -> bool:
        return True

    def close(self) -> None:
        super().close()
        self.closed = True


@pytest.fixture
def kept() -> Any:
    found = IdleExecutions()
    yield found
    found.close()


def test_the_longest_idle_ones_end_where_there_are_too_many(kept: IdleExecutions) -> None:
    all_of_them = [Waiting(f"f{number}") for number in range(10)]
    for one in all_of_them:
        kept.give(one)
    assert [one.closed for one in all_of_them] == [True, True, *[False] * 8]
    assert kept.take(all_of_them[1].function.key) is None
    assert kept.take(all_of_them[2].function.key) is all_of_them[2]
    all_of_them[2].close()


def test_one_ends_when_it_was_idle_for_long(
    kept: IdleExecutions, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., Any]
) -> None:
    monkeypatch.setattr(idle, "_IDLE_SECONDS", 0.05)
    one = Waiting("f")
    kept.give(one)
    assert eventually(lambda: one.closed)


def test_one_of_replaced_code_ends_with_the_next_call(kept: IdleExecutions) -> None:
    old, other = Waiting("f"), Waiting("g")
    for one in (old, other):
        kept.give(one)
    assert kept.take(of_code("f", "b").key) is None
    assert (old.closed, other.closed) == (True, False)


def test_all_end_with_the_endpoint(kept: IdleExecutions) -> None:
    waiting, late = Waiting("f"), Waiting("g")
    kept.give(waiting)
    kept.close()
    kept.give(late)
    assert waiting.closed
    assert late.closed
