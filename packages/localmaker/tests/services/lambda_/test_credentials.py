"""Where IAM is enforced, a function has the credentials of its role."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localmaker.daemon import EndpointHandle, running_endpoint

CODE = """
import boto3

def handler(event, context):
    answers = {}
    for bucket in ("allowed", "denied"):
        try:
            boto3.client("s3").put_object(Bucket=bucket, Key="x", Body=b"")
            answers[bucket] = "allowed"
        except Exception as error:
            answers[bucket] = error.response["Error"]["Code"]
    return {**answers, "arn": boto3.client("sts").get_caller_identity()["Arn"]}
"""
SESSION = "arn:aws:sts::123456789012:assumed-role/function/{}"


@pytest.fixture
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointHandle]:
    with running_endpoint(tmp_path_factory.mktemp("enforcing"), enforce_iam=True) as handle:
        for bucket in ("allowed", "denied"):
            handle.client("s3").create_bucket(Bucket=bucket)
        yield handle


def policy(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def test_a_function_acts_under_its_role(endpoint: EndpointHandle) -> None:
    iam, functions = endpoint.client("iam"), endpoint.client("lambda")
    trust = policy(Principal={"Service": "lambda.amazonaws.com"}, Action="sts:AssumeRole")
    role = iam.create_role(RoleName="function", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    allowed = policy(Action="s3:PutObject", Resource="arn:aws:s3:::allowed/*")
    iam.put_role_policy(RoleName="function", PolicyName="p", PolicyDocument=allowed)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("module.py", CODE)
    functions.create_function(
        FunctionName="uploaded",
        Runtime="python3.12",
        Role=role,
        Handler="module.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=60,
    )
    (endpoint.state_dir / "module.py").write_text(CODE)
    (endpoint.state_dir / "functions.toml").write_text(
        f'[[function]]\nname = "registered"\nhandler = "module.py:handler"\nrole = "{role}"\n'
        '[[function]]\nname = "without"\nhandler = "module.py:handler"\n'
    )

    def answer(name: str) -> Any:
        return json.loads(functions.invoke(FunctionName=name, Payload=b"{}")["Payload"].read())

    for name in ("uploaded", "registered"):
        expected = {"allowed": "allowed", "denied": "AccessDenied", "arn": SESSION.format(name)}
        assert answer(name) == expected
    assert answer("without")["denied"] == "allowed"


TRUST = policy(Principal={"Service": "lambda.amazonaws.com"}, Action="sts:AssumeRole")
NOT_ASSUMED = "The role defined for the function cannot be assumed by Lambda."
VPC = {"SecurityGroupIds": ["sg-1"], "SubnetIds": ["subnet-1"]}


class Roles:
    """Roles and functions of a test."""

    def __init__(self, endpoint: EndpointHandle) -> None:
        self._iam, self.functions = endpoint.client("iam"), endpoint.client("lambda")

    def role(self, name: str, trust: str = TRUST, **statement: Any) -> str:
        arn: str = self._iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        if statement:
            self._iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(**statement))
        return arn

    def trust(self, name: str, trust: str) -> None:
        self._iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)

    def create(self, name: str, role: str, **settings: Any) -> str:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as files:
            files.writestr("module.py", "def handler(event, context):\n    return 1\n")
        arn: str = self.functions.create_function(
            **{
                "FunctionName": name,
                "Runtime": "python3.12",
                "Role": role,
                "Handler": "module.handler",
                "Code": {"ZipFile": archive.getvalue()},
                "Timeout": 60,
                **settings,
            }
        )["FunctionArn"]
        return arn


@pytest.fixture
def roles(endpoint: EndpointHandle) -> Roles:
    return Roles(endpoint)


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call()
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


def test_lambda_has_to_be_trusted(roles: Roles) -> None:
    other = policy(Principal={"Service": "sagemaker.amazonaws.com"}, Action="sts:AssumeRole")
    elsewhere = {"StringEquals": {"aws:SourceArn": "arn:aws:lambda:us-east-1:123456789012:function:other"}}
    for name, trust in [
        ("untrusting", other),
        ("narrow", policy(Principal={"Service": "lambda.amazonaws.com"}, Action="sts:AssumeRole", Condition=elsewhere)),
    ]:
        role = roles.role(name, trust)
        refused = refusal(lambda: roles.create("f", role))  # noqa: B023 - called at once
        assert refused == ("InvalidParameterValueException", NOT_ASSUMED)
    roles.create("f", roles.role("trusting"))
    change = roles.functions.update_function_configuration
    assert refusal(lambda: change(FunctionName="f", Role=role)) == ("InvalidParameterValueException", NOT_ASSUMED)
    roles.trust("trusting", other)
    assert refusal(lambda: roles.functions.invoke(FunctionName="f")) == ("AccessDeniedException", NOT_ASSUMED)
    roles.trust("trusting", TRUST)
    assert json.load(roles.functions.invoke(FunctionName="f")["Payload"]) == 1


def test_the_source_is_a_function_of_its_own_region(roles: Roles, endpoint: EndpointHandle) -> None:
    source = {"ArnLike": {"aws:SourceArn": "arn:aws:lambda:eu-north-1:123456789012:function:northern*"}}
    trust = policy(Principal={"Service": "lambda.amazonaws.com"}, Action="sts:AssumeRole", Condition=source)
    role = roles.role("northern", trust)
    roles.functions = endpoint.client("lambda", "eu-north-1")
    roles.create("northern", role)
    assert json.load(roles.functions.invoke(FunctionName="northern")["Payload"]) == 1


def test_its_role_may_make_network_interfaces_and_send_dead_letters(roles: Roles, endpoint: EndpointHandle) -> None:
    plain = roles.role("plain")
    start = "The provided execution role does not have permissions to call"
    queue = f"arn:aws:sqs:{endpoint.region}:123456789012:dead"
    for settings, said in [
        ({"VpcConfig": VPC}, f"{start} CreateNetworkInterface on EC2"),
        ({"DeadLetterConfig": {"TargetArn": queue}}, f"{start} SendMessage on SQS"),
    ]:
        refused = refusal(lambda: roles.create("f", plain, **settings))  # noqa: B023 - called at once
        assert refused == ("InvalidParameterValueException", said)
    interfaces = ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"]
    able = roles.role("able", Action=[*interfaces, "sqs:SendMessage"], Resource="*")
    roles.create("f", able, VpcConfig=VPC, DeadLetterConfig={"TargetArn": queue})
    assert json.load(roles.functions.invoke(FunctionName="f")["Payload"]) == 1


def test_a_rule_needs_the_functions_permission(roles: Roles, make_dead_letters: Callable[[], Any]) -> None:
    dead = make_dead_letters()
    arn = roles.create("f", roles.role("role"))
    rule = dead.rule("r", arn)
    dead.put_event()
    letter = dead.letter()
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    assert "lambda:InvokeFunction" in letter["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]
    roles.functions.add_permission(
        FunctionName="f",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    dead.put_event()
    dead.wait_for_log("/aws/lambda/f")


def test_a_schedules_role_needs_the_permission(
    roles: Roles, endpoint: EndpointHandle, make_dead_letters: Callable[[], Any]
) -> None:
    dead, arn = make_dead_letters(), roles.create("f", roles.role("role"))
    trust = policy(Principal={"Service": "scheduler.amazonaws.com"}, Action="sts:AssumeRole")
    # Scheduler sends dead letters under the role as well; the queue's policy does not name it.
    actions = ["lambda:InvokeFunction", "sqs:SendMessage"]
    for name, resource, target, code in (
        ("unable", f"{arn}-other", arn, "AccessDeniedException"),
        ("absent", f"{arn}-absent", f"{arn}-absent", "ResourceNotFoundException"),
        ("able", arn, arn, None),
    ):
        role = roles.role(name, trust, Action=actions, Resource=[resource, dead.queue])
        dead.schedule(name, target, role)
        if code is not None:
            attributes = {key: value["StringValue"] for key, value in dead.letter()["MessageAttributes"].items()}
            assert (attributes["TARGET_ARN"], attributes["ERROR_CODE"]) == (target, code)
            assert ("lambda:InvokeFunction" in attributes["ERROR_MESSAGE"]) is (name == "unable")
    dead.wait_for_log("/aws/lambda/f")


def test_a_notification_needs_the_functions_permission_for_s3(
    roles: Roles, endpoint: EndpointHandle, make_dead_letters: Callable[[], Any]
) -> None:
    arn, s3 = roles.create("f", roles.role("role")), endpoint.client("s3")
    roles.functions.add_permission(
        FunctionName="f",
        StatementId="bucket",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::allowed",
    )
    told = {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="allowed", NotificationConfiguration=told)
    s3.put_object(Bucket="allowed", Key="x", Body=b"")
    make_dead_letters().wait_for_log("/aws/lambda/f")


class DeadLetters:
    """A dead-letter queue of rules and schedules."""

    def __init__(self, endpoint: EndpointHandle, eventually: Callable[..., Any]) -> None:
        self._events, self._sqs, self._logs = (endpoint.client(name) for name in ("events", "sqs", "logs"))
        self._scheduler = endpoint.client("scheduler")
        self._eventually = eventually
        self._url = self._sqs.create_queue(QueueName="dead")["QueueUrl"]
        self.queue = f"arn:aws:sqs:{endpoint.region}:123456789012:dead"
        sender = {"Service": "events.amazonaws.com"}
        allowed = policy(Principal=sender, Action="sqs:SendMessage", Resource=self.queue)
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": allowed})

    def rule(self, name: str, target: str) -> str:
        rule: str = self._events.put_rule(Name=name, EventPattern=json.dumps({"source": ["mine"]}))["RuleArn"]
        one = {"Id": "t", "Arn": target, "DeadLetterConfig": {"Arn": self.queue}}
        self._events.put_targets(Rule=name, Targets=[one])
        return rule

    def schedule(self, name: str, target: str, role: str) -> None:
        """Call a target once, a moment from now."""
        due = datetime.now(UTC) + timedelta(seconds=1)
        self._scheduler.create_schedule(
            Name=name,
            ScheduleExpression=f"at({due:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": target, "RoleArn": role, "Input": "{}", "DeadLetterConfig": {"Arn": self.queue}},
        )

    def put_event(self) -> None:
        entry = {"Source": "mine", "DetailType": "x", "Detail": "{}", "EventBusName": "default"}
        assert self._events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def letter(self) -> Any:
        def receive() -> Any:
            return self._sqs.receive_message(QueueUrl=self._url, MessageAttributeNames=["All"]).get("Messages")

        one = self._eventually(receive)[0]
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=one["ReceiptHandle"])
        return one

    def wait_for_log(self, group: str) -> None:
        self._eventually(lambda: self._logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"])


@pytest.fixture
def make_dead_letters(endpoint: EndpointHandle, eventually: Callable[..., Any]) -> Callable[[], DeadLetters]:
    return lambda: DeadLetters(endpoint, eventually)


def test_a_step_needs_the_permission_of_the_pipelines_role(
    roles: Roles, endpoint: EndpointHandle, eventually: Callable[..., Any]
) -> None:
    sagemaker = endpoint.client("sagemaker")
    function = roles.create("f", roles.role("function"))
    step = {"Name": "Call", "Type": "Lambda", "FunctionArn": function, "Arguments": {}, "OutputParameters": []}
    trust = policy(Principal={"Service": "sagemaker.amazonaws.com"}, Action="sts:AssumeRole")

    def run(name: str, **statement: Any) -> dict[str, Any]:
        role = roles.role(name, trust, **statement)
        definition = json.dumps({"Version": "2020-12-01", "Steps": [step]})
        token = name.ljust(32, "-")
        sagemaker.create_pipeline(
            PipelineName=name, PipelineDefinition=definition, RoleArn=role, ClientRequestToken=token
        )
        execution = sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]

        def ended() -> Any:
            [one] = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution)[
                "PipelineExecutionSteps"
            ] or [{}]
            return one if one.get("StepStatus") in ("Succeeded", "Failed") else None

        found: dict[str, Any] = eventually(ended)
        return found

    assert run("able", Action="lambda:InvokeFunction", Resource=function)["StepStatus"] == "Succeeded"
    refused = run("unable", Action="lambda:InvokeFunction", Resource=f"{function}-other")
    assert refused["StepStatus"] == "Failed"
    assert "is not authorized to perform: lambda:InvokeFunction on resource" in refused["FailureReason"]
