"""Lambda functions: the scripts of ``steps/`` that need no container."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.policy import statements_of
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State
from pipeline.settings.contract import CALLED_BY_RULES
from pipeline.settings.contract import Function as Kind
from pipeline.settings.environment import Settings

#: The newest Python of the steps' own image that Lambda has; its boto3 is all that the functions need.
RUNTIME = "python3.12"
#: A step of a pipeline waits no longer for its function ("Lambda step", SageMaker's developer guide).
TIMEOUT_SECONDS = 600
#: What of a function's state may stay wrong for ever; anything else passes.
_WELL = {"State": "Active", "LastUpdateStatus": "Successful"}


@dataclass(frozen=True)
class Function(Resource):
    """One function, whose code is an object of the artifacts bucket."""

    kind = "function"
    tag_api = tags.LAMBDA
    tag_member = "FunctionArn"
    handler: str
    role_arn: str
    code: bytes  #: The zip archive.
    code_bucket: str
    code_key: str
    memory_mib: int
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    alarm_topic: str | None = None  #: ARN of the topic that hears of calls that failed, where nobody waits for them.
    caller: str | None = None  #: ARN of the rule that may call it; pipelines may by their role.

    def _desired(self) -> State:
        code = base64.b64encode(hashlib.sha256(self.code).digest()).decode()
        return {"code": code, **self._configuration(), **_WELL, "caller": self.caller}

    def _configuration(self) -> dict[str, Any]:
        """Return the members of UpdateFunctionConfiguration that we decide on."""
        return {
            "Runtime": RUNTIME,
            "Handler": self.handler,
            "Role": self.role_arn,
            "MemorySize": self.memory_mib,
            "Timeout": TIMEOUT_SECONDS,
            "VpcConfig": {"SubnetIds": sorted(self.subnets), "SecurityGroupIds": sorted(self.security_groups)},
            "DeadLetterConfig": {"TargetArn": self.alarm_topic or ""},
            # A variable or a layer that somebody adds could lead all data elsewhere.
            "Environment": {"Variables": {}},
            "Layers": [],
        }

    def _describe(self, aws: Aws) -> Any:
        return aws.functions.get_function_configuration(FunctionName=self.name)

    def _state(self, aws: Aws, found: Any) -> State:
        network = found.get("VpcConfig", {})
        return {
            "code": found["CodeSha256"],
            **{name: found.get(name) for name in ("Runtime", "Handler", "Role", "MemorySize", "Timeout")},
            "VpcConfig": {name: sorted(network.get(name, [])) for name in ("SubnetIds", "SecurityGroupIds")},
            "DeadLetterConfig": {"TargetArn": found.get("DeadLetterConfig", {}).get("TargetArn", "")},
            "Environment": {"Variables": found.get("Environment", {}).get("Variables", {})},
            "Layers": [layer["Arn"] for layer in found.get("Layers", [])],
            **{key: found[key] if found.get(key) in {"Failed", "Inactive"} else well for key, well in _WELL.items()},
            "caller": self._current_caller(aws),
        }

    def _current_caller(self, aws: Aws) -> str | None:
        answer = unless_missing(lambda: aws.functions.get_policy(FunctionName=self.name))
        statements = statements_of(json.loads(answer["Policy"])) if answer else []
        return ", ".join(_source(item) or json.dumps(item, sort_keys=True) for item in statements or []) or None

    def create(self, aws: Aws) -> None:
        """Create the function and wait until it can be called."""
        place = {"S3Bucket": self.code_bucket, "S3Key": self.code_key}
        configuration = self._configuration()
        if not self.subnets:
            del configuration["VpcConfig"]
        aws.functions.create_function(
            FunctionName=self.name, Code=place, PackageType="Zip", **configuration, Tags=dict(self.tags)
        )
        aws.functions.get_waiter("function_active_v2").wait(FunctionName=self.name)
        self._permit(aws)

    def _permit(self, aws: Aws) -> None:
        """Let the rule call it, and nobody else who is allowed to by the function's own policy."""
        answer = unless_missing(lambda: aws.functions.get_policy(FunctionName=self.name))
        for statement in (statements_of(json.loads(answer["Policy"])) if answer else None) or []:
            aws.functions.remove_permission(FunctionName=self.name, StatementId=statement["Sid"])
        if self.caller is not None:
            aws.functions.add_permission(
                FunctionName=self.name,
                StatementId="Schedule",
                Action="lambda:InvokeFunction",
                Principal="events.amazonaws.com",
                SourceArn=self.caller,
            )

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        if "State" in differences and differences["State"].current == "Failed":  # it takes no changes
            aws.functions.delete_function(FunctionName=self.name)
            self.create(aws)
            return
        if differences.keys() & (self._configuration().keys() | _WELL.keys()):
            aws.functions.update_function_configuration(FunctionName=self.name, **self._configuration())
            aws.functions.get_waiter("function_updated_v2").wait(FunctionName=self.name)
        if "code" in differences:
            aws.functions.update_function_code(FunctionName=self.name, S3Bucket=self.code_bucket, S3Key=self.code_key)
            aws.functions.get_waiter("function_updated_v2").wait(FunctionName=self.name)
        if "caller" in differences:
            self._permit(aws)

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        aws.functions.delete_function(FunctionName=self.name)
        return Removal.REMOVED


def _source(statement: Mapping[str, Any]) -> str | None:
    """Return the ARN that a statement of ours allows; None for one of another form."""
    arn = statement.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn")
    return arn if isinstance(arn, str) and statement.get("Principal") == {"Service": "events.amazonaws.com"} else None


def log_group_of(settings: Settings, kind: Kind) -> str:
    """Return the name of a function's log group."""
    return f"/aws/lambda/{settings.function_name(kind)}"


def functions(settings: Settings, code: bytes, code_key: str) -> list[Function]:
    """Return every function of an environment."""
    topic = settings.arn("sns", settings.alarm_topic_name)
    rules = {Kind.SWEEP: settings.sweep_rule_name, Kind.FOLLOW_MODEL: settings.follow_rule_name}
    return [
        Function(
            settings.function_name(kind),
            handler=f"{kind.script.removesuffix('.py')}.handler",
            role_arn=settings.role_arn(settings.function_name(kind)),
            code=code,
            code_bucket=settings.artifacts_bucket,
            code_key=code_key,
            memory_mib=settings.running.function_memory_mib,
            subnets=settings.network.subnets,
            security_groups=settings.network.security_groups,
            # A pipeline whose function fails, fails with it, and that has an alarm of its own.
            alarm_topic=topic if kind in CALLED_BY_RULES else None,
            caller=settings.rule_arn(rules[kind]) if kind in rules else None,
        )
        for kind in Kind
    ]
