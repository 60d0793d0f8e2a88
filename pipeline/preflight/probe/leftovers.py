"""What the probe makes, so that all of it is removed again, whatever happens."""

from collections.abc import Callable
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine.resource import Resource
from pipeline.errors import PipelineError

_ATTEMPTS = 5
#: Kind of resource → command of the AWS CLI that removes it by name, with what is in it.
_COMMANDS = {
    # All versions: the bucket is versioned.
    "bucket": 's3api delete-objects --bucket {0} --delete "$({aws} s3api list-object-versions --bucket {0}'
    " --output json --query '{{Objects: [Versions, DeleteMarkers][].{{Key: Key, VersionId: VersionId}}}}')\";"
    " {aws} s3 rb s3://{0}",
    "function": "lambda delete-function --function-name {}",
    "log group": "logs delete-log-group --log-group-name {}",
    "role": "iam delete-role-policy --policy-name generated --role-name {0} && {aws} iam delete-role --role-name {0}",
    "queue": 'sqs delete-queue --queue-url "$({aws} sqs get-queue-url --queue-name {} --output text)"',
    "rule": "events remove-targets --ids pipeline --rule {0} && {aws} events delete-rule --name {0}",
    "pipeline": "sagemaker delete-pipeline --pipeline-name {}",
    "model package group": "sagemaker list-model-packages --model-package-group-name {0} --output text"
    " --query 'ModelPackageSummaryList[].[ModelPackageArn]' | xargs -rn1 {aws} sagemaker delete-model-package"
    " --model-package-name && {aws} sagemaker delete-model-package-group --model-package-group-name {0}",
}


class Leftovers:
    """Everything that is still there, newest last; each thing is noted before it is made."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._things: list[tuple[str, Callable[[], object]]] = []

    def make(self, resource: Resource) -> None:
        """Create a resource, tagged as the environment's others are."""
        tagged = replace(resource, tags=self._aws.settings.resource_tags())
        command = _COMMANDS[resource.kind].format(resource.name, aws=self._aws.cli("").rstrip())
        self.note(command, lambda: tagged.delete(self._aws, keep_data=False))
        tagged.create(self._aws)

    def note(self, command: str, remove: Callable[[], object]) -> None:
        """Note something that is made next: how to remove it, and the command with which a person does."""
        self._things.append((self._aws.cli(command), remove))

    def remove_all(self) -> list[str]:
        """Remove everything, newest first; return the commands for what could not be removed, each with the reason."""
        left: list[str] = []
        while self._things:
            command, remove = self._things.pop()
            waiting = Retrying(
                retry=retry_if_exception_type(ClientError),
                wait=wait_exponential(multiplier=0.1, max=5),
                stop=stop_after_attempt(_ATTEMPTS),
                reraise=True,
            )
            try:
                waiting(unless_missing, remove)
            except (ClientError, BotoCoreError, PipelineError) as error:
                left.append(f"{command}    # {str(error).splitlines()[0]}")
            except KeyboardInterrupt:
                left += [command, *(others for others, _ in reversed(self._things))]
                self._things.clear()
        return left
