"""What the offline checks look at: an environment's definitions, with what is deployed around them; and the scripts."""

from __future__ import annotations

from collections.abc import Mapping

from pipedef.checks.registry import Deployment, Trigger
from pipedef.document.definition import Definition, read_definition
from pipedef.document.project import Sources
from pipedef.linter import report_lines, validate
from pipeline.definition.bundle import STEPS_FOLDER, Bundle, bundled_files
from pipeline.deploy.compiled import compiled_definitions
from pipeline.deploy.resources.roles import Role
from pipeline.deploy.resources.rules import Rule
from pipeline.deploy.script_conventions import PROJECT
from pipeline.deploy.stack import FLOWS, resources
from pipeline.errors import DefinitionError
from pipeline.settings.contract import Flow
from pipeline.settings.environment import Settings


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


def refuse_wrong_definitions(settings: Settings, bundle: Bundle) -> None:
    """Run every check of definitions and scripts, so that nothing is deployed that has a problem.

    Raises:
        DefinitionError: names each problem with its step and field, or its line of a script.
    """
    report = validate(environment_subjects(settings, bundle), script_sources(), PROJECT)
    if report.findings:
        raise DefinitionError(
            "\n".join(["Nothing is deployed:", *report_lines(report)]),
            hint=f"Mend it, then look again: bikeshare validate {settings.options}",
        )


def script_sources() -> Sources:
    """The Python sources of ``steps/``; what is no UTF-8 in them is kept, and is then no Python."""
    return {
        path.relative_to(STEPS_FOLDER).as_posix(): path.read_text(encoding="utf-8", errors="surrogateescape")
        for path in bundled_files()
        if path.suffix == ".py"
    }


def deployment_around(settings: Settings, bundle: Bundle, definitions: Mapping[Flow, str], flow: Flow) -> Deployment:
    """What `bikeshare deploy` would put around the pipeline of a flow: every trigger, and the execution role."""
    planned = resources(settings, bundle, definitions)
    policies = [item.policy for item in planned if isinstance(item, Role) and item.name == settings.execution_role_name]
    return Deployment(
        pipeline=settings.pipeline_name(flow),
        triggers=tuple(_trigger(item) for item in planned if isinstance(item, Rule) and item.starts is not None),
        policy=policies[0],
        partition=settings.partition,
        region=settings.region,
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
