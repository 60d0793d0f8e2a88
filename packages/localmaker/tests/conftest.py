"""One endpoint for the tests of a run, in a process of its own, and clients that check what it answers."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.validate import ParamValidator

from localmaker.daemon import EndpointHandle, running_endpoint
from localmaker.images.environments import JobEnvironment, image_environment
from localmaker.images.table import DEFAULT_IMAGE, find_image

# Members that the service model requires and AWS leaves out: a versioned package has no name of its own.
_AS_IN_AWS = {"DescribeModelPackage": {"ModelPackageName": "-"}}
_JSON_PROTOCOLS = ("json", "rest-json")

# Every endpoint of the suite checks its own answers against botocore's service models.
os.environ["LOCALMAKER_CHECK_RESPONSES"] = "1"

pytest_plugins = ["budgets"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with a slow or a randomised test first, so that no worker is left alone with one at the end."""
    long = {item.path for item in items if any(item.iter_markers("slow")) or any(item.iter_markers("randomised"))}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Call a function until its result is true, and give that."""

    def call(function: Callable[[], Any], seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (result := function()):
            assert time.monotonic() < deadline, f"nothing happened for {seconds} s; last result: {result!r}"
            time.sleep(0.02)
        return result

    return call


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointHandle]:
    state_dir: Path = tmp_path_factory.mktemp("endpoint")
    with running_endpoint(state_dir) as handle:
        for service in ("sagemaker", "sagemaker-featurestore-runtime", "events"):
            handle.client(service).meta.events.register("after-call", check_response)
        yield handle


@pytest.fixture(scope="session")
def image() -> JobEnvironment:
    """Return the image's environment, built in the real cache if this is the first run ever."""
    return image_environment(find_image(DEFAULT_IMAGE))


@pytest.fixture
def unique() -> str:
    """Return a name that no other test uses and that fits every kind of resource."""
    return f"t-{uuid.uuid4().hex[:12]}"


def check_response(http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
    """Check that a response holds what botocore's model has, with the model's types, and nothing else."""
    shape = model.output_shape
    if shape is None or http_response.status_code >= 300 or model.service_model.protocol not in _JSON_PROTOCOLS:
        return
    body = json.loads(http_response.content or b"{}")
    unknown = list(_unknown_members(shape, body, model.name))
    assert not unknown, f"{model.name} answered with members that the service model lacks: {unknown}"
    parsed = _AS_IN_AWS.get(model.name, {}) | parsed
    report = ParamValidator().validate({k: v for k, v in parsed.items() if k != "ResponseMetadata"}, shape)
    assert not report.has_errors(), f"{model.name}: {report.generate_report()}"


def _unknown_members(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        for key, item in value.items():
            if key not in shape.members:
                yield f"{path}.{key}"
            else:
                yield from _unknown_members(shape.members[key], item, f"{path}.{key}")
    elif shape.type_name == "list":
        for item in value:
            yield from _unknown_members(shape.member, item, path)
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from _unknown_members(shape.value, item, f"{path}.{key}")


class Queue:
    """An SQS queue on the endpoint that a test reads."""

    def __init__(self, endpoint: EndpointHandle, name: str) -> None:
        self._sqs = endpoint.client("sqs")
        self.url: str = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]
        self.arn: str = attributes["QueueArn"]

    def messages(self, count: int) -> list[dict[str, Any]]:
        """Wait for the next messages."""
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + 60
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} messages came"
            answer = self._sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageAttributeNames=["All"]
            )
            for message in answer.get("Messages", []):
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                found.append(message)
        return found

    def events(self, count: int) -> list[dict[str, Any]]:
        """Return the parsed bodies of the next messages."""
        return [json.loads(message["Body"]) for message in self.messages(count)]


@pytest.fixture
def queue(endpoint: EndpointHandle, unique: str) -> Queue:
    return Queue(endpoint, unique)


@pytest.fixture
def make_queue(endpoint: EndpointHandle) -> Callable[[str], Queue]:
    return lambda name: Queue(endpoint, name)
