"""The command around the offline checks: what to check, and what is deployed around it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.bundle import STEPS_FOLDER, Bundle, build_bundle, bundled_files
from pipeline.deploy.compiled import compiled_definitions
from pipeline.deploy.roles import Role
from pipeline.deploy.rules import Rule
from pipeline.deploy.stack import FLOWS, resources
from pipeline.errors import InputFileError
from pipeline.settings import Flow, Settings, environment_names, load_settings
from pipeline.validate.document import Definition, read_definition
from pipeline.validate.registry import Deployment, Sources, Trigger
from pipeline.validate.runner import Report, validate


def validate_environments(environment: str | None, settings_file: Path | None) -> Report:
    """Compile and check the pipelines of one environment, or of every one that has a file; and the step scripts.

    Raises:
        SettingsError: the settings of an environment are wrong.
        DefinitionError: a definition does not compile.
    """
    bundle = build_bundle()
    names = [environment or "local"] if environment or settings_file else environment_names()
    subjects = [
        subject for name in names for subject in environment_subjects(load_settings(name, settings_file), bundle)
    ]
    return validate(subjects, script_sources())


def environment_subjects(settings: Settings, bundle: Bundle) -> list[tuple[Definition, Deployment]]:
    """The compiled pipelines of an environment, each with what is deployed around it."""
    definitions = compiled_definitions(settings, bundle, FLOWS)
    return [
        (
            read_definition(text, f"{flow} pipeline of {settings.environment}"),
            deployment_around(settings, bundle, definitions, flow),
        )
        for flow, text in definitions.items()
    ]


def validate_file(path: Path, environment: str | None, settings_file: Path | None) -> Report:
    """Check a definition in a file. Nothing is compiled, so the SDK is not imported.

    Args:
        path: of the JSON that CreatePipeline takes.
        environment: where it would be deployed; without it, what needs triggers or policies is not checked.
        settings_file: settings to take instead of the environment's own.

    Raises:
        InputFileError: the file can't be read.
        DefinitionError: it is no definition.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError(
            f"{path} can't be read: {error}", hint=f"Write a definition with: bikeshare synth --output {path}"
        ) from error
    definition = read_definition(text, str(path))
    deployment = None
    if environment or settings_file:
        flow: Flow = "training" if any(definition.steps_of_type("Training")) else "scoring"
        settings = load_settings(environment or "local", settings_file)
        deployment = deployment_around(settings, build_bundle(), {flow: text}, flow)
    return validate([(definition, deployment)])


def deployment_around(settings: Settings, bundle: Bundle, definitions: Mapping[Flow, str], flow: Flow) -> Deployment:
    """What `bikeshare deploy` would put around the pipeline of a flow: every trigger, and the execution role."""
    planned = resources(settings, bundle, definitions)
    policies = [item.policy for item in planned if isinstance(item, Role) and item.name == settings.execution_role_name]
    return Deployment(
        pipeline=settings.pipeline_name(flow),
        triggers=tuple(_trigger(item) for item in planned if isinstance(item, Rule) and item.starts is not None),
        policy=policies[0],
    )


def _trigger(rule: Rule) -> Trigger:
    watched = rule.pattern["detail"]
    given = rule.target["SageMakerPipelineParameters"]["PipelineParameterList"]
    return Trigger(
        name=rule.name,
        bucket=watched["bucket"]["name"][0],
        key_pattern=watched["object"]["key"][0]["wildcard"],
        pipeline=str(rule.starts).rpartition("/")[2],
        parameters={item["Name"]: item["Value"] for item in given},
    )


def script_sources() -> Sources:
    """The Python sources of ``steps/``."""
    return {
        path.relative_to(STEPS_FOLDER).as_posix(): path.read_text(encoding="utf-8")
        for path in bundled_files()
        if path.suffix == ".py"
    }
