"""A pipeline service on a temporary directory, with jobs that the test controls and a real (moto) S3 and SageMaker."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.validate import ParamValidator
from definition_builder import Build
from moto.server import ThreadedMotoServer

import localmaker.services.sagemaker.pipelines.handlers
from localmaker.errors import AwsError
from localmaker.http.operations import find_handler
from localmaker.services.sagemaker.pipelines.service import PipelineService

ACCOUNT = "123456789012"
REGION = "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/pipeline"
PATIENCE = 30.0  # seconds a test waits for what must happen; reached only when it does not


class FakeJobs:
    """Jobs that exist in memory only. A job ends at once, unless its step is held or its outcomes are planned."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: dict[str, dict[str, Any]] = {}
        self._held: set[str] = set()
        self._outcomes: dict[str, list[tuple[str, str | None]]] = {}
        self._refusals: dict[str, list[Exception]] = {}
        self.work: dict[str, Any] = {}
        self.requests: dict[str, list[dict[str, Any]]] = {}
        self.stopped: list[str] = []
        self.most_at_once = 0

    def hold(self, *steps: str) -> None:
        """Jobs of these steps run until they are released or stopped."""
        self._held.update(steps)

    def plan(self, step: str, *outcomes: tuple[str, str | None]) -> None:
        """Set the (status, failure reason) of the next attempts of a step; Completed after them."""
        self._outcomes[step] = list(outcomes)

    def refuse(self, step: str, *errors: Exception) -> None:
        """Raise these errors at the next creations of a step's job."""
        self._refusals[step] = list(errors)

    def release(self, *steps: str) -> None:
        """Let the held jobs of these steps, running and to come, end."""
        with self._changed:
            self._held.difference_update(steps)
            for job in self._jobs.values():
                if job["step"] in steps and job["status"] == "InProgress":
                    self._end(job)
            self._changed.notify_all()

    def await_running(self, *steps: str) -> None:
        """Block until a job of every one of these steps runs."""
        with self._changed:
            assert self._changed.wait_for(lambda: set(steps) <= self._running(), PATIENCE), (
                f"running: {self._running()}"
            )

    def started(self) -> list[str]:
        """Return the steps whose jobs were created, in order."""
        with self._changed:
            return [job["step"] for job in self._jobs.values()]

    def _running(self) -> set[str]:
        return {job["step"] for job in self._jobs.values() if job["status"] == "InProgress"}

    def _end(self, job: dict[str, Any], status: str | None = None) -> None:
        planned = self._outcomes.get(job["step"]) or [("Completed", None)]
        job["status"], job["reason"] = (status, None) if status else planned.pop(0)

    def create(self, kind: Any, request: dict[str, Any]) -> str:
        step = next(tag["Value"] for tag in request["Tags"] if tag["Key"] == "sagemaker:pipeline-step-name")
        self.requests.setdefault(step, []).append(request)
        if self._refusals.get(step):
            raise self._refusals[step].pop(0)
        if step in self.work:
            self.work[step](request)
        name = request[f"{kind}JobName"]
        with self._changed:
            job = {"step": step, "kind": kind, "request": request, "status": "InProgress", "reason": None}
            self._jobs[name] = job
            running = [one for one in self._jobs.values() if one["status"] == "InProgress"]
            self.most_at_once = max(self.most_at_once, len(running))
            if step not in self._held:
                self._end(job)
            self._changed.notify_all()
        return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{str(kind).lower()}-job/{name.lower()}"

    def wait(self, kind: Any, name: str) -> dict[str, Any]:
        job = self._jobs[name]
        with self._changed:
            assert self._changed.wait_for(lambda: job["status"] != "InProgress", PATIENCE)
        described = {
            **job["request"],
            f"{kind}JobStatus": job["status"],
            f"{kind}JobArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{str(kind).lower()}-job/{name.lower()}",
            "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
        }
        if kind == "Training":
            described["ModelArtifacts"] = {"S3ModelArtifacts": f"s3://models/{name}/output/model.tar.gz"}
        return described if job["reason"] is None else {**described, "FailureReason": job["reason"]}

    def stop(self, kind: Any, name: str) -> None:
        with self._changed:
            job = self._jobs[name]
            if job["status"] != "InProgress":
                raise AwsError("ValidationException", "The job has ended.")
            self.stopped.append(job["step"])
            self._end(job, "Stopped")
            self._changed.notify_all()


class FakeClock:
    """Time that moves by a millisecond at each look, and by the whole pause when something waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self.pauses: list[float] = []
        self.blocking = False
        self.paused = threading.Event()

    def now(self) -> datetime:
        with self._lock:
            self._now += timedelta(milliseconds=1)
            return self._now

    def advance(self, **amount: float) -> None:
        with self._lock:
            self._now += timedelta(**amount)

    def pause(self, seconds: float, interrupt: threading.Event) -> bool:
        self.pauses.append(seconds)
        self.paused.set()
        if self.blocking:
            return interrupt.wait(PATIENCE)
        self.advance(seconds=seconds)
        return interrupt.is_set()


@pytest.fixture(scope="session")
def moto_url():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def client(moto_url):
    """boto3 clients of moto, by service name."""
    session = boto3.session.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
    clients: dict[str, Any] = {}
    lock = threading.Lock()

    def get(service: str) -> Any:
        with lock:
            if service not in clients:
                clients[service] = session.client(service, endpoint_url=moto_url)
            return clients[service]

    yield get
    for made in clients.values():
        made.close()


@pytest.fixture
def bucket(client):
    """Return the name of a new bucket."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def jobs():
    return FakeJobs()


@pytest.fixture
def clock():
    return FakeClock()


class Events(list):
    """The events that the service sent, in order."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def receive(self, event: dict[str, Any]) -> None:
        with self._changed:
            self.append(event)
            self._changed.notify_all()

    def await_status(self, step: str | None, status: str) -> None:
        """Block until a step (None: the execution) has had a status."""
        wanted = (step, status)

        def seen() -> bool:
            details = [event["detail"] for event in self]
            return wanted in [
                (one.get("stepName"), one.get("currentStepStatus") or one.get("currentPipelineExecutionStatus"))
                for one in details
            ]

        with self._changed:
            assert self._changed.wait_for(seen, PATIENCE), f"never came: {wanted}"


@pytest.fixture
def events():
    return Events()


@pytest.fixture
def open_service(tmp_path, jobs, client, clock, events):
    """Open services on the test's state directory; close those that are still open at the end."""
    opened = []

    def open_one(**options: Any) -> PipelineService:
        options = {"on_event": events.receive, "clock": clock, "jobs": jobs, **options}
        job_service = options.pop("jobs")
        service = PipelineService(tmp_path / "state", ACCOUNT, REGION, job_service, client, **options)
        opened.append(service)
        return service

    yield open_one
    for service in opened:
        service.close()


@pytest.fixture
def service(open_service):
    return open_service()


@pytest.fixture
def call(service):
    """Call an operation through its registered handler, checking request and response against botocore's model."""
    assert localmaker.services.sagemaker.pipelines.handlers
    model = botocore.session.get_session().get_service_model("sagemaker")

    def check(value: Any, shape: Any) -> None:
        report = ParamValidator().validate(value, shape)
        assert not report.has_errors(), report.generate_report()
        assert set(value) <= set(shape.members), f"unknown members: {set(value) - set(shape.members)}"

    def call_one(operation: str, **request: Any) -> dict[str, Any]:
        shapes = model.operation_model(operation)
        if "ClientRequestToken" in shapes.input_shape.members:
            request.setdefault("ClientRequestToken", uuid.uuid4().hex)
        check(request, shapes.input_shape)
        context = SimpleNamespace(service=lambda _kind: service, account_id=ACCOUNT, region=REGION)
        response = find_handler("sagemaker", operation)(request, context)
        check(response, shapes.output_shape)
        return response

    return call_one


@pytest.fixture
def run(call, service):
    """Create a pipeline, start it and wait; return the execution with its steps by name."""

    def run_one(definition: str, parameters: dict[str, str] | None = None, **options: Any) -> SimpleNamespace:
        arn = create_and_start(call, definition, parameters, **options)
        return ended(call, service, arn)

    return run_one


@pytest.fixture
def start(call):
    """Create a pipeline and start it; return the execution's ARN."""

    def start_one(definition: str, parameters: dict[str, str] | None = None, **options: Any) -> str:
        return create_and_start(call, definition, parameters, **options)

    return start_one


@pytest.fixture
def finish(call, service):
    """Wait for an execution; return it with its steps by name."""
    return lambda arn: ended(call, service, arn)


def create_and_start(call: Any, definition: str, parameters: dict[str, str] | None, **options: Any) -> str:
    name = options.pop("name", "demo")
    try:
        call("CreatePipeline", PipelineName=name, RoleArn=ROLE, PipelineDefinition=definition)
    except AwsError as error:
        if "must be unique" not in error.message:
            raise
        call("UpdatePipeline", PipelineName=name, PipelineDefinition=definition)
    given = [{"Name": key, "Value": value} for key, value in (parameters or {}).items()]
    return call("StartPipelineExecution", PipelineName=name, PipelineParameters=given, **options)[
        "PipelineExecutionArn"
    ]


def ended(call: Any, service: PipelineService, arn: str) -> SimpleNamespace:
    status = service.executions.wait(arn, PATIENCE)
    listed = call("ListPipelineExecutionSteps", PipelineExecutionArn=arn, SortOrder="Ascending")
    steps = {step["StepName"]: step for step in listed["PipelineExecutionSteps"]}
    described = call("DescribePipelineExecution", PipelineExecutionArn=arn)
    assert described["PipelineExecutionStatus"] == status
    return SimpleNamespace(arn=arn, status=status, steps=steps, described=described)


@pytest.fixture(scope="session")
def build():
    return Build
