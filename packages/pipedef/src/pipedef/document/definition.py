"""A compiled definition as the checks look at it: steps with their place in the JSON, and every reference in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

from pipedef.document.json_text import HINT, parse_json
from pipedef.document.project import ALWAYS, Project
from pipedef.document.values import FoundReference, follow, listed, objects, references
from pipedef.errors import DefinitionError
from pipedef.language.expressions import StepReference

BRANCHES = ("IfSteps", "ElseSteps")
#: Step type → arguments that hold further steps.
_NESTED: Mapping[str, tuple[str, ...]] = {"Condition": BRANCHES, "ForEach": ("ForEachBody",)}


@dataclass(frozen=True)
class Guard:
    """What is around a step: it runs only where ``condition`` takes ``branch``, or for each item of a ForEach step."""

    condition: str
    branch: str


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        name: of the step.
        type: ``Processing``, ``Training``, …
        place: path in the definition, such as ``Steps[1].Arguments.IfSteps[0]``.
        content: the JSON object.
        guards: branches around it, outermost first.
    """

    name: str
    type: str
    place: str
    content: Mapping[str, Any]
    guards: tuple[Guard, ...]

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Its arguments, without the steps inside a condition's branches or a loop's body."""
        arguments: Mapping[str, Any] = self.content.get("Arguments") or {}
        return {key: value for key, value in arguments.items() if key not in _NESTED.get(self.type, ())}

    @property
    def variables(self) -> Iterator[FoundReference]:
        """Every ``Get`` of the step: in its arguments, and beside them, as in a FunctionArn or a SkipCheck."""
        yield from references(self.arguments, "Arguments")
        for key, value in self.content.items():
            if key != "Arguments":
                yield from references(value, key)

    @property
    def dependencies(self) -> Iterator[tuple[int, str]]:
        """(index, name) of the entries of DependsOn that name a step; a trigger beside a name is left out."""
        for index, entry in enumerate(self.content.get("DependsOn") or []):
            name = entry.get("Step") if isinstance(entry, Mapping) else entry
            if isinstance(name, str):
                yield index, name

    @property
    def property_files(self) -> Sequence[Mapping[str, Any]]:
        """Its PropertyFiles."""
        return list(self.content.get("PropertyFiles") or [])

    @property
    def output_types(self) -> dict[str, str]:
        """Output parameter of a Callback or Lambda step → its type."""
        return {
            str(output.get("OutputName")): str(output.get("OutputType", "String"))
            for output in self.content.get("OutputParameters") or []
        }

    @property
    def cached(self) -> bool:
        """Whether the result of an earlier execution may be used instead."""
        return bool((self.content.get("CacheConfig") or {}).get("Enabled"))

    @property
    def script(self) -> str | None:
        """File name of the Python script that it runs, where that can be seen."""
        program = follow(self.arguments, "HyperParameters", "sagemaker_program")
        names = [item for item in [*self.entry_point, program] if isinstance(item, str) and item.endswith(".py")]
        return names[-1].rpartition("/")[2] if names else None

    @property
    def entry_point(self) -> Sequence[Any]:
        """The command of a processing or training job's container, where it is not the image's own."""
        return self._specified("ContainerEntrypoint")

    @property
    def container_arguments(self) -> Sequence[Any]:
        """Arguments of a processing or training job's container."""
        return self._specified("ContainerArguments")

    def _specified(self, member: str) -> Sequence[Any]:
        specifications = ("AppSpecification", "AlgorithmSpecification")
        return [word for name in specifications for word in listed(follow(self.arguments, name, member))]

    def flag(self, name: str) -> Any:
        """Return the value after ``--name`` among the container's arguments; None where it is not given."""
        arguments = self.container_arguments
        return next((value for flag, value in pairwise(arguments) if flag == name), None)

    def inputs(self) -> Iterator[tuple[str, str, Any]]:
        """Yield (name, path of the URI's field, S3 URI) of processing inputs and training channels."""
        for index, item in objects(self.arguments.get("ProcessingInputs")):
            uri = follow(item, "S3Input", "S3Uri")
            yield str(item.get("InputName")), f"Arguments.ProcessingInputs[{index}].S3Input.S3Uri", uri
        for path, job in self.training_jobs():
            for index, item in objects(job.get("InputDataConfig")):
                uri = follow(item, "DataSource", "S3DataSource", "S3Uri")
                field = f"{path}.InputDataConfig[{index}].DataSource.S3DataSource.S3Uri"
                yield str(item.get("ChannelName")), field, uri

    def training_jobs(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield (path, request) of the training jobs that a step describes: its own arguments, or those of a tuning."""
        yield "Arguments", self.arguments
        job = self.arguments.get("TrainingJobDefinition")
        if isinstance(job, Mapping):
            yield "Arguments.TrainingJobDefinition", job
        for index, job in objects(self.arguments.get("TrainingJobDefinitions")):
            yield f"Arguments.TrainingJobDefinitions[{index}]", job

    def outputs(self) -> Iterator[tuple[str, str, Any]]:
        """Yield (name, path of the URI's field, S3 URI) of everything that the job itself writes."""
        arguments = self.arguments
        for index, item in objects(follow(arguments, "ProcessingOutputConfig", "Outputs")):
            path = f"Arguments.ProcessingOutputConfig.Outputs[{index}].S3Output.S3Uri"
            yield str(item.get("OutputName")), path, follow(item, "S3Output", "S3Uri")
        for keys in _OUTPUT_FIELDS:
            uri = follow(arguments, *keys)
            if uri is not None:
                yield keys[0], f"Arguments.{'.'.join(keys)}", uri
        for index, job in objects(arguments.get("TrainingJobDefinitions")):
            name = f"TrainingJobDefinitions[{index}]"
            yield (
                name,
                f"Arguments.{name}.OutputDataConfig.S3OutputPath",
                follow(job, "OutputDataConfig", "S3OutputPath"),
            )


@dataclass(frozen=True)
class Definition:
    """One compiled pipeline.

    Attributes:
        source: what messages call it: a file, or ``training pipeline of dev``.
        text: the JSON text.
        content: the same, parsed.
        steps: all of them, those inside branches included, in the order of the text.
        project: what its project tells about its scripts.
    """

    source: str
    text: str
    content: Mapping[str, Any]
    steps: tuple[Step, ...]
    project: Project = field(default_factory=Project)

    @property
    def parameters(self) -> Sequence[Mapping[str, Any]]:
        """Declared parameters."""
        return list(self.content.get("Parameters") or [])

    @cached_property
    def parameter_named(self) -> Mapping[str, Mapping[str, Any]]:
        """Declared parameters by their name."""
        return {str(parameter.get("Name")): parameter for parameter in self.parameters}

    @cached_property
    def step_named(self) -> Mapping[str, Step]:
        """Steps by their name; of several with one name, the first."""
        found: dict[str, Step] = {}
        for step in self.steps:
            found.setdefault(step.name, step)
        return found

    def steps_of_type(self, *types: str) -> Iterator[Step]:
        """Yield the steps of these types."""
        return (step for step in self.steps if step.type in types)

    def script_actions(self, step: Step) -> tuple[str, ...]:
        """Return the IAM actions that a step's script takes itself, with the arguments that it is given."""
        table = self.project.script_actions.get(step.script or "", {})
        return tuple(name for flag, names in table.items() if flag == ALWAYS or step.flag(flag) for name in names)

    @cached_property
    def upstream(self) -> Mapping[str, frozenset[str]]:
        """Step → the steps that it waits for: those it depends on, refers to, and whose branch it is in."""
        return {name: _waits_for(step) & frozenset(self.step_named) for name, step in self.step_named.items()}

    def all_upstream(self, name: str) -> set[str]:
        """Return the names of all steps that one waits for, directly or through others."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            new = self.upstream[waiting.pop()] - found
            found |= new
            waiting += new
        return found


def _waits_for(step: Step) -> frozenset[str]:
    named = {name for _, name in step.dependencies}
    referred = {found.reference.step for found in step.variables if isinstance(found.reference, StepReference)}
    return frozenset({*named, *referred, *(guard.condition for guard in step.guards)})


def read_definition(text: str, source: str) -> Definition:
    """Read a definition's JSON.

    Raises:
        DefinitionError: it is not JSON, or a part that every check relies on is missing; the message says where.
    """
    content = parse_json(text, source)
    if not isinstance(content, dict):
        raise DefinitionError(f"{source}: a definition is a JSON object.", hint=HINT)
    parameters = content.get("Parameters") or []
    if not isinstance(parameters, list) or not all(isinstance(item, dict) for item in parameters):
        raise DefinitionError(f"{source}: Parameters must be a list of objects.")
    return Definition(source, text, content, tuple(_steps(content.get("Steps"), "Steps", (), source)))


def _steps(items: Any, place: str, guards: tuple[Guard, ...], source: str) -> Iterator[Step]:
    if not isinstance(items, list):
        raise DefinitionError(f"{source}: {place} must be a list of steps.", hint=HINT)
    for index, item in enumerate(items):
        here = f"{place}[{index}]"
        if not isinstance(item, dict):
            raise DefinitionError(f"{source}: {here} must be a JSON object.")
        _require(item, here, source)
        yield Step(item["Name"], item["Type"], here, item, guards)
        for branch in _NESTED.get(item["Type"], ()):
            inner = item["Arguments"].get(branch) or []
            yield from _steps(inner, f"{here}.Arguments.{branch}", (*guards, Guard(item["Name"], branch)), source)


#: Where jobs write besides a processing job's outputs.
_OUTPUT_FIELDS = (
    ("OutputDataConfig", "S3OutputPath"),
    ("CheckpointConfig", "S3Uri"),
    ("TransformOutput", "S3OutputPath"),
    ("DataCaptureConfig", "DestinationS3Uri"),
    ("DebugHookConfig", "S3OutputPath"),
    ("ProfilerConfig", "S3OutputPath"),
    ("TensorBoardOutputConfig", "S3OutputPath"),
    ("TrainingJobDefinition", "OutputDataConfig", "S3OutputPath"),
)
#: Members of a step: type, and whether it is required. The arguments themselves are checked against AWS's shapes.
_MEMBERS: tuple[tuple[str, type, bool], ...] = (
    ("Name", str, True),
    ("Type", str, True),
    ("Arguments", dict, True),
    ("OutputParameters", list, False),
    ("CacheConfig", dict, False),
    ("DependsOn", list, False),
    ("PropertyFiles", list, False),
    ("RetryPolicies", list, False),
)
#: Members that steps of some type may lack: a Callback or Lambda step may have nothing to say.
_MAY_LACK = (("Arguments", "Callback"), ("Arguments", "Lambda"))


def _require(item: Mapping[str, Any], here: str, source: str) -> None:
    """Refuse a step that lacks what every check relies on."""
    for key, kind, always in _MEMBERS:
        value = item.get(key)
        needed = always and (key, item.get("Type")) not in _MAY_LACK
        right = not needed if value is None else isinstance(value, kind)
        if right and key in {"OutputParameters", "PropertyFiles", "RetryPolicies"}:
            right = all(isinstance(entry, dict) for entry in value or [])
        if not right:
            raise DefinitionError(
                f"{source}: {here}.{key} is missing or of the wrong type.",
                hint=HINT,
            )
