"""An uploaded function runs as in Lambda: isolated, on the AWS SDK alone, within its limits, in its version."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from localmaker.daemon import EndpointHandle
from localmaker.images.environments import find_interpreter
from localmaker.sandbox.sandbox import Isolation, detect_isolation
from localmaker.services.lambda_.calls import log_file
from localmaker.services.lambda_.table import FunctionTableError

Create = Callable[..., str]
LOOK = """
import importlib.util, os, sys

def attempt(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror
    return "written"

def handler(event, context):
    return {
        "python": "%d.%d" % sys.version_info[:2],
        "modules": [name for name in ("boto3", "pandas", "moto", "localmaker") if importlib.util.find_spec(name)],
        "variables": sorted(os.environ),
        "written": {path: attempt(path) for path in ("/tmp/x", "/var/task/x", "/x", "/usr/x", "/root/x")},
        "home": os.path.exists(event["home"]),
        "files": sorted(os.listdir(".")),
        "version": [context.function_version, os.environ["AWS_LAMBDA_FUNCTION_VERSION"]],
        "memory": [context.memory_limit_in_mb, os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]],
    }
"""


def packed(source: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("module.py", source)
    return archive.getvalue()


@pytest.fixture
def create(endpoint: EndpointHandle, unique: str) -> Create:
    def upload(source: str, **settings: Any) -> str:
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = endpoint.client("iam").create_role(RoleName=unique, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        endpoint.client("lambda").create_function(
            FunctionName=unique,
            Runtime="python3.12",
            Role=role,
            Handler="module.handler",
            Code={"ZipFile": packed(source)},
            **{"Timeout": 60, **settings},
        )
        return unique

    return upload


def call(endpoint: EndpointHandle, name: str, event: Any = None, **more: Any) -> tuple[Any, dict[str, Any]]:
    answer = endpoint.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **more)
    return json.load(answer["Payload"]), answer


def test_it_sees_nothing_but_its_code_and_the_sdk(
    endpoint: EndpointHandle, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    if detect_isolation() is Isolation.NONE:
        pytest.skip("there is no sandbox")
    seen, _ = call(endpoint, create(LOOK, MemorySize=192), {"home": str(Path.home() / "secret")})
    assert find_interpreter("3.12").version.startswith(seen["python"])  # another one where there is no 3.12
    assert seen["modules"] == ["boto3"]
    assert not {"USER", "LOCALMAKER_CHECK_RESPONSES", "PYTHONPATH", "VIRTUAL_ENV"} & set(seen["variables"])
    assert {"LAMBDA_TASK_ROOT", "_HANDLER", "AWS_EXECUTION_ENV", "TZ"} <= set(seen["variables"])
    refused = {"/var/task/x", "/x", "/usr/x"}
    assert {path for path, said in seen["written"].items() if said == "Read-only file system"} == refused
    assert set(seen["written"]) - refused == {path for path, said in seen["written"].items() if said == "written"}
    assert seen["home"] is False
    assert seen["files"] == ["module.py"]
    assert seen["version"] == ["$LATEST", "$LATEST"]
    assert seen["memory"] == ["192", "192"]


def test_its_memory_size_is_its_limit(endpoint: EndpointHandle, create: Create) -> None:
    fill = "def handler(event, context):\n    return len(b'x' * (event << 20))\n"
    name = create(fill, MemorySize=256)
    assert call(endpoint, name, 100)[0] == 100 << 20
    said, answer = call(endpoint, name, 600)
    assert answer["FunctionError"] == "Unhandled"
    assert said["errorType"] == "Runtime.ExitError"
    assert "Runtime exited with error: signal: killed" in said["errorMessage"]


def test_its_storage_is_what_it_has_asked_for(endpoint: EndpointHandle, create: Create) -> None:
    grow = "def handler(event, context):\n    open('/tmp/large', 'w').truncate(event << 20)\n"
    name = create(grow, EphemeralStorage={"Size": 600})
    assert call(endpoint, name, 600)[0] is None
    assert call(endpoint, name, 601)[0]["errorMessage"] == "[Errno 27] File too large"


def test_versions_and_aliases_keep_their_code(endpoint: EndpointHandle, create: Create) -> None:
    client, source = endpoint.client("lambda"), "def handler(event, context):\n    return {}\n"
    name = create(source.format("'first'"))
    first = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=first)
    client.update_function_code(FunctionName=name, ZipFile=packed(source.format("'second'")))
    arn = client.get_function(FunctionName=name)["Configuration"]["FunctionArn"].removesuffix(":$LATEST")
    for named, more, value, version in [
        (name, {}, "second", "$LATEST"),
        (name, {"Qualifier": first}, "first", first),
        (name, {"Qualifier": "live"}, "first", first),
        (f"{arn}:live", {}, "first", first),
        (f"{name}:live", {}, "first", first),
    ]:
        said, answer = call(endpoint, named, **more)
        assert (said, answer["ExecutedVersion"]) == (value, version), named
    for missing in ("2", "other"):
        with pytest.raises(ClientError, match="Function not found") as refused:
            call(endpoint, name, Qualifier=missing)
        assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    with pytest.raises(ClientError, match="does not match the specified one"):
        call(endpoint, f"{name}:live", Qualifier=first)


def test_an_answer_has_a_largest_size(endpoint: EndpointHandle, create: Create) -> None:
    said, answer = call(endpoint, create("def handler(event, context):\n    return 'x' * event\n"), 7 << 20)
    assert answer["FunctionError"] == "Unhandled"
    assert said["errorType"] == "Function.ResponseSizeTooLarge"


RESULT = "/var/call/result.json"


@pytest.mark.parametrize(
    "write",
    [
        f"os.symlink('/etc/passwd', '{RESULT}')",
        f"os.mkdir('{RESULT}')",
        f"os.mkfifo('{RESULT}')",
        *(f"open('{RESULT}', 'w').write({text!r})" for text in ("[]", "null", '["value"]', '{"error": "x"}', "{", "1")),
        f"""open('{RESULT}', 'w').write('{{"error": {{"type": 1, "message": []}}}}')""",
        f"open('{RESULT}', 'w').write('[' * 100000)",
    ],
)
def test_a_result_of_another_form_is_none(endpoint: EndpointHandle, create: Create, write: str) -> None:
    if detect_isolation() is Isolation.NONE:
        pytest.skip("the folder of the call has another path without a sandbox")
    said, _ = call(endpoint, create(f"import os\ndef handler(event, context):\n    {write}\n    os._exit(0)\n"))
    assert said["errorType"] == "Runtime.ExitError"


def test_a_result_is_read_up_to_a_limit(endpoint: EndpointHandle, create: Create) -> None:
    if detect_isolation() is Isolation.NONE:
        pytest.skip("the folder of the call has another path without a sandbox")
    write = f"open('{RESULT}', 'w').truncate(500 << 20)"
    said, _ = call(endpoint, create(f"import os\ndef handler(event, context):\n    {write}\n    os._exit(0)\n"))
    assert said["errorType"] == "Function.ResponseSizeTooLarge"


@pytest.mark.parametrize("name", ["../../evil", "a/b", "a" * 65, "..", "a\nb"])
def test_a_name_is_no_path(endpoint: EndpointHandle, name: str, tmp_path: Path) -> None:
    with pytest.raises(FunctionTableError, match="is not the name of a function"):
        log_file(name, tmp_path)
    client = endpoint.client("lambda")
    with pytest.raises((ClientError, ParamValidationError)):
        client.invoke(FunctionName=f"arn:aws:lambda:us-east-1:123456789012:function:{name}")
