"""What compiled definitions require of the role that they run as: jobs, scripts, images, functions, S3 locations."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from pipedef.arns import queue_arn, repository_arn
from pipedef.document.definition import Definition, read_definition
from pipedef.document.locations import ANYTHING, pattern_of
from pipedef.document.values import texts

_IMAGE_FIELDS = frozenset({"Image", "ImageUri", "TrainingImage"})
_SCHEME = "s3://"
_SCRIPT_ARGUMENTS = "ContainerArguments"
#: Members of a request below which a job writes; a script may read or write the locations among its arguments.
_WRITTEN = ("Output", "Checkpoint", "DataCapture", _SCRIPT_ARGUMENTS)


@dataclass(frozen=True, order=True)
class S3Location:
    """Objects of a bucket."""

    bucket: str
    keys: str  #: Pattern of the keys, such as ``runs/*``.
    written: bool  #: Whether something is written there, and not only read.


@dataclass(frozen=True)
class Requirements:
    """What the definitions use."""

    step_types: frozenset[str]
    scripts: frozenset[str]  #: Files of ``steps/`` that steps run.
    repositories: frozenset[str]  #: ARNs of the repositories of the steps' images.
    functions: frozenset[str]  #: ARNs of the functions that Lambda steps call.
    queues: frozenset[str]  #: ARNs of the queues that Callback steps send to.
    locations: frozenset[S3Location]  #: S3 objects that the steps read and write.
    endpoint_configurations: frozenset[str]  #: Names that steps give to the endpoint configurations that they create.
    experiments: bool  #: Whether executions are kept as trials of an experiment.

    @classmethod
    def of(cls, definitions: Iterable[str], region: str) -> Self:
        """Read compiled definitions of a region's pipelines; what a pipeline variable stands for is left out."""
        read = [read_definition(text, "definition") for text in definitions]
        steps = [step for definition in read for step in definition.steps]
        functions = [step.content.get("FunctionArn") for step in steps]
        names = [step.arguments.get("EndpointConfigName") for step in steps]
        return cls(
            step_types=frozenset(step.type for step in steps),
            scripts=frozenset(step.script for step in steps if step.script),
            repositories=frozenset(found for definition in read for found in _repositories(definition)),
            functions=frozenset(arn for arn in functions if isinstance(arn, str)),
            queues=frozenset(arn for step in steps if (arn := queue_arn(step.content.get("SqsQueueUrl"), region))),
            locations=frozenset(location for definition in read for location in locations_of(definition)),
            endpoint_configurations=frozenset(name for name in names if isinstance(name, str)),
            experiments=any(definition.content.get("PipelineExperimentConfig") for definition in read),
        )


def _repositories(definition: Definition) -> Iterator[str]:
    """Yield the repository of every image in the arguments of steps."""
    for step in definition.steps:
        for path, value in texts(step.arguments, ""):
            if path.rpartition(".")[2] in _IMAGE_FIELDS and (found := repository_arn(value)):
                yield found


def locations_of(definition: Definition) -> Iterator[S3Location]:
    """Yield every S3 location in the arguments of steps, as far as it is known before an execution.

    What functions are told to read and write is left out: they have roles of their own.
    """
    for step in definition.steps:
        if step.type == "Lambda":
            continue
        for path, value in texts(step.arguments, ""):
            uri = pattern_of(value, definition)
            bucket, _, key = uri.removeprefix(_SCHEME).partition("/")
            # A pipeline variable at the beginning, or in the bucket's name, leaves the bucket unknown.
            if uri.startswith(_SCHEME) and ANYTHING not in bucket:
                folder, slash, _ = key.partition("/")
                # A URI is a prefix of keys; scripts are given folders.
                is_folder = slash or (key and _SCRIPT_ARGUMENTS in path)
                keys = f"{folder}/*" if is_folder else f"{key.rstrip(ANYTHING)}*"
                yield S3Location(bucket, keys, any(part in path for part in _WRITTEN))
