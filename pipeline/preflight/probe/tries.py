"""What the probe tries: each thing asked of AWS, and the answer in AWS's words."""

import gzip
import io
import json
import tomllib
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, retry_if_result, stop_after_delay, wait_exponential

from pipedef.document.definition import read_definition
from pipeline.aws.clients import Aws
from pipeline.deploy.engine.policy import allow, document
from pipeline.deploy.permissions.execution import execution_policy
from pipeline.deploy.resources.buckets import Bucket
from pipeline.deploy.resources.functions import Function
from pipeline.deploy.resources.log_groups import FunctionLogGroup
from pipeline.deploy.resources.model_package_groups import ModelPackageGroup
from pipeline.deploy.resources.pipelines import Pipeline, execution_ids, stop_executions
from pipeline.deploy.resources.queues import Queue
from pipeline.deploy.resources.roles import Role
from pipeline.deploy.resources.rules import Rule
from pipeline.preflight.probe.leftovers import Leftovers
from pipeline.preflight.probe.samples import filled
from pipeline.settings.contract import JOB_LOG_GROUPS, Flow

ACCEPTED = "accepted"
_PIPELINES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["pipeline"]
_CODE_KEY = "function.zip"
_CODE = "def handler(event, context):\n    return {'answer': event['answer']}\n"
#: A new role can't be assumed for some seconds.
_ROLE_SECONDS = 60
_RUN_SECONDS = 1200
_EVENT_SECONDS = 180


class Try(NamedTuple):
    """One thing to find out; without an expected answer it is only of interest."""

    question: str
    expected: str | None
    ask: Callable[[], str]


class Tries:
    """All that is tried, under the names of an environment that exists for as long as that takes.

    Args:
        aws: clients with the settings of that environment.
        compiled: the definitions of the real environment.
        left: gets all that is made.
    """

    def __init__(self, aws: Aws, compiled: Mapping[Flow, str], left: Leftovers) -> None:
        self._aws, self._compiled, self._left, self._settings = aws, compiled, left, aws.settings
        self._training = read_definition(compiled["training"], "training")
        self._prefix, self._bucket = self._settings.prefix, f"{self._settings.prefix}-{self._settings.account_id}"
        self._role = self._settings.role_arn(self._settings.execution_role_name)
        image = next(self._training.steps_of_type("Processing")).arguments["AppSpecification"]["ImageUri"]
        self._known = {
            "@function@": self._settings.arn("lambda", f"function:{self._prefix}"),
            "@role@": self._role,
            "@image@": image,
            "@bucket@": self._bucket,
        }

    def all(self) -> Iterator[Try]:
        """Yield the tries; the one with a job, which takes minutes, comes last."""
        for flow, text in self._compiled.items():
            create = partial(self._create, self._settings.pipeline_name(flow), text)
            yield Try(f"CreatePipeline with the {flow} definition", ACCEPTED, create)
        yield Try("CreateModelPackage with the model card", ACCEPTED, self._register)
        for one in _PIPELINES:
            yield Try(one["question"], one.get("expected"), partial(self._run, one))

    def set_up(self) -> None:
        """Make what the tries have in common: bucket, roles, function."""
        make, account, prefix = self._left.make, self._settings.account_id, self._prefix
        make(Bucket(self._bucket, self._settings.region, None, events=False))
        runs = execution_policy(self._settings, {"training": self._definition(_PIPELINES[-1])})
        starts = allow("sagemaker:StartPipelineExecution", [self._settings.pipeline_arn(f"{prefix}-*")])
        logs = allow(
            "logs:CreateLogStream PutLogEvents", [self._settings.arn("logs", f"log-group:/aws/lambda/{prefix}:*")]
        )
        for name, service, policy in (
            (self._settings.execution_role_name, "sagemaker", runs),
            (self._settings.events_role_name, "events", document([starts])),
            (f"{prefix}-function", "lambda", document([logs])),
        ):
            boundary = self._settings.boundary_arn
            make(Role(name, f"{service}.amazonaws.com", source_account=account, policy=policy, boundary=boundary))
        self._make_function()

    def _make_function(self) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("index.py", _CODE)
        self._aws.s3.put_object(Bucket=self._bucket, Key=_CODE_KEY, Body=packed.getvalue())
        self._left.make(FunctionLogGroup(f"/aws/lambda/{self._prefix}", retention_days=1))
        function = Function(
            self._prefix,
            handler="index.handler",
            role_arn=self._settings.role_arn(f"{self._prefix}-function"),
            code=packed.getvalue(),
            code_bucket=self._bucket,
            code_key=_CODE_KEY,
            memory_mib=128,
            subnets=(),
            security_groups=(),
        )
        until_assumable = Retrying(
            retry=retry_if_exception(lambda error: "assumed" in str(error)),
            wait=wait_exponential(multiplier=0.5, max=5),
            stop=stop_after_delay(_ROLE_SECONDS),
            reraise=True,
        )
        until_assumable(self._left.make, function)

    def _definition(self, one: Mapping[str, Any]) -> str:
        text = str(one["definition"])
        for name, value in self._known.items():
            text = text.replace(name, value)
        return text

    def _create(self, name: str, text: str) -> str:
        self._left.make(Pipeline(name, self._settings.pipeline_arn(name), self._role, text, self._bucket, 2))
        return ACCEPTED

    def _register(self) -> str:
        group = self._settings.model_package_group_name
        self._left.make(ModelPackageGroup(group, "Probe"))
        self._aws.s3.put_object(Bucket=self._bucket, Key="model.tar.gz", Body=gzip.compress(bytes(10240)))
        parameters = {one["Name"]: one.get("DefaultValue") for one in self._training.parameters}
        arguments = next(self._training.steps_of_type("RegisterModel")).arguments
        request = filled(arguments, parameters, f"s3://{self._bucket}/model.tar.gz")
        self._aws.sagemaker.create_model_package(**{**request, "ModelPackageGroupName": group})
        return ACCEPTED

    def _run(self, one: Mapping[str, Any]) -> str:
        """Create a pipeline, start it, by an event if it has one, and return how it ended, step by step."""
        name, sagemaker = f"{self._prefix}-{one['name']}", self._aws.sagemaker
        self._create(name, self._definition(one))
        self._note_logs(name)
        if "event_path" in one:
            return self._sent(name, one["event_path"])
        arn = sagemaker.start_pipeline_execution(
            PipelineName=name,
            PipelineParameters=[{"Name": key, "Value": value} for key, value in one.get("start", {}).items()],
            ClientRequestToken=str(uuid.uuid4()),
        )["PipelineExecutionArn"]
        describe = partial(sagemaker.describe_pipeline_execution, PipelineExecutionArn=arn)
        status = _waited(lambda: _unless_running(describe()["PipelineExecutionStatus"]), _RUN_SECONDS)
        steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        return f"{status}; {', '.join(sorted(_told(step) for step in steps))}"

    def _sent(self, pipeline: str, path: str) -> str:
        """Send an event to a rule that wants of it what it lacks; return what became of it."""
        settings, aws, queue = self._settings, self._aws, self._settings.dead_letter_queue_name
        arn = settings.arn("sqs", queue)
        self._left.make(Queue(queue, arn=arn, senders=(settings.rule_arn(pipeline),), kms_key=None))
        target = {
            "Id": "pipeline",
            "Arn": settings.pipeline_arn(pipeline),
            "RoleArn": settings.role_arn(settings.events_role_name),
            "SageMakerPipelineParameters": {"PipelineParameterList": [{"Name": "Value", "Value": path}]},
            "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
            "DeadLetterConfig": {"Arn": arn},
        }
        self._left.make(Rule(pipeline, pattern={"source": [pipeline]}, target=target))
        url = aws.sqs.get_queue_url(QueueName=queue)["QueueUrl"]

        def outcome() -> str:
            # A new rule may take a while, so the event is sent again each time.
            aws.events.put_events(Entries=[{"Source": pipeline, "DetailType": "probe", "Detail": "{}"}])
            for message in aws.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages", []):
                values: Any = message.get("MessageAttributes", {})
                told = [str(values.get(key, {}).get("StringValue")) for key in ("ERROR_CODE", "ERROR_MESSAGE")]
                return f"undelivered: {': '.join(told)}"
            for execution in execution_ids(aws, pipeline):
                started = f"{settings.pipeline_arn(pipeline)}/execution/{execution}"
                found = aws.sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=started)
                return f"started with {json.dumps(found['PipelineParameters'])}"
            return ""

        return _waited(outcome, _EVENT_SECONDS)

    def _note_logs(self, pipeline: str) -> None:
        """Note the logs of a pipeline's jobs, and the account's log group for them if there is none so far."""
        aws, group = self._aws, JOB_LOG_GROUPS[0]
        known = aws.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]

        def remove() -> None:
            stop_executions(aws, pipeline)
            for execution in execution_ids(aws, pipeline):
                request: Any = {"logGroupName": group, "logStreamNamePrefix": f"pipelines-{execution}-"}
                for stream in aws.logs.describe_log_streams(**request)["logStreams"]:
                    aws.logs.delete_log_stream(logGroupName=group, logStreamName=stream["logStreamName"])
            if not known and not aws.logs.describe_log_streams(logGroupName=group, limit=1)["logStreams"]:
                aws.logs.delete_log_group(logGroupName=group)

        self._left.note(
            f"logs describe-log-streams --log-stream-name-prefix pipelines- --log-group-name {group}", remove
        )


def _waited(ask: Callable[[], str], seconds: float) -> str:
    """Ask until there is an answer."""
    waiting = Retrying(
        retry=retry_if_result(lambda told: not told),
        wait=wait_exponential(multiplier=0.1, max=15),
        stop=stop_after_delay(seconds),
        retry_error_callback=lambda _: f"nothing within {seconds} s",
    )
    return str(waiting(ask))


def _unless_running(status: str) -> str:
    return "" if status in {"Executing", "Stopping"} else status


def _told(step: Any) -> str:
    outputs = step.get("Metadata", {}).get("Lambda", {}).get("OutputParameters", [])
    reason = [f"({step['FailureReason']})"] if "FailureReason" in step else []
    return " ".join([step["StepName"], step["StepStatus"], *(repr(one["Value"]) for one in outputs), *reason])


def answer(one: Try) -> str:
    """Ask; a refusal is an answer, too."""
    try:
        return one.ask()
    except ClientError as error:
        details = error.response.get("Error", {})
        return f"refused by {error.operation_name}: {details.get('Code')}: {details.get('Message')}"
