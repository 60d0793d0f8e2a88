"""The offline checks, applied to what an environment would deploy, to a definition in a file, and to the scripts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from analysis.card.standard import declared_problems, in_words, read_standard
from analysis.runtime.project import NAME
from pipedef.checks.registry import Deployment, Function, Trigger
from pipedef.document.definition import Definition, read_definition
from pipedef.document.project import Project, Sources
from pipedef.errors import DefinitionError as UnreadableDefinitionError
from pipedef.errors import UnreadableFileError
from pipedef.linter import Report, chosen_checks, read_file, report_lines, unreadable, validate
from pipeline.datasets.shipped import declaration_file, standard_file
from pipeline.definition.bundle import Bundle, build_bundle, bundle_of, bundled_files
from pipeline.deploy.compiled import compiled_definitions
from pipeline.deploy.resources.roles import Role
from pipeline.deploy.resources.rules import Rule
from pipeline.deploy.script_conventions import PROJECT
from pipeline.deploy.stack import NO_STEPS, resources
from pipeline.errors import DeclarationError, DefinitionError, InputFileError
from pipeline.settings.contract import FLOWS, Flow
from pipeline.settings.contract import Function as FunctionName
from pipeline.settings.environment import Settings, environment_names, load_settings
from pipeline.step_code import STEPS_FOLDER

#: Checks of planning: a job that would need the internet fails after minutes of waiting for it.
CHECKS_OF_PLANS = ("libraries-as-input", "network-isolation")


def validate_environments(environment: str | None, settings_file: Path | None) -> Report:
    """Compile and check the pipelines of one environment, or of every one that has a file; and the step scripts.

    Raises:
        SettingsError: the settings of an environment are wrong.
        DeclarationError: model cards would not meet the organisation's standard.
        DefinitionError: a definition does not compile.
    """
    names = [environment] if environment or settings_file else environment_names()
    found = [load_settings(name, settings_file) for name in names]
    for settings in found:
        refuse_incomplete_card(settings)
    bundles = [bundle_of(settings) for settings in found]
    subjects = [
        subject
        for settings, bundle in zip(found, bundles, strict=True)
        for subject in environment_subjects(settings, bundle)
    ]
    # They have the same scripts and libraries.
    return validate(subjects, script_sources(), _project(bundles[0]))


def validate_file(path: Path, environment: str | None, settings_file: Path | None) -> Report:
    """Check a definition in a file. Nothing is compiled, so the SDK is not imported.

    Without environment and settings, what needs triggers or policies is not checked.

    Raises:
        InputFileError: the file can't be read.
    """
    try:
        text = read_file(path)
    except UnreadableFileError as error:
        raise InputFileError(str(error), hint=f"Write a definition with: {NAME} synth --output {path}") from error
    try:
        definition = read_definition(text, str(path))
    except UnreadableDefinitionError as error:
        return unreadable(str(path), error)
    deployment, bundle = None, build_bundle()
    if environment or settings_file:
        flow: Flow = "training" if any(definition.steps_of_type("Training")) else "scoring"
        settings = load_settings(environment, settings_file)
        bundle = bundle_of(settings)
        # Of the other pipeline its trigger is enough: what this one writes must not start it either.
        definitions = {**dict.fromkeys(FLOWS, NO_STEPS), flow: text}
        deployment = deployment_around(settings, bundle, definitions, flow)
    return validate([(definition, deployment)], project=_project(bundle))


def refuse_wrong_definitions(settings: Settings, bundle: Bundle, select: Sequence[str] = ()) -> None:
    """Run every check of definitions and scripts, or those selected, so that nothing with a problem is deployed.

    Raises:
        DefinitionError: names each problem with its step and field, or its line of a script.
    """
    sources = None if select else script_sources()
    report = validate(environment_subjects(settings, bundle), sources, _project(bundle), chosen_checks(select))
    if report.findings:
        raise DefinitionError(
            "\n".join(["Nothing is deployed:", *report_lines(report)]),
            hint=f"Fix it, then check again: {NAME} validate {settings.options}",
        )


def refuse_incomplete_card(settings: Settings) -> None:
    """Refuse a declaration whose models' cards would not meet the organisation's standard, as far as that is known.

    Raises:
        DeclarationError: names each field, its owner, and where it is written.
    """
    name = settings.registry.card_standard
    if name is None:
        return
    standard = read_standard(standard_file(name))
    problems = declared_problems(standard, settings.declared)
    if problems:
        raise DeclarationError(
            in_words(standard, problems),
            f"Write them in {declaration_file(settings.dataset)}, or unset registry.card_standard; then:"
            f" {NAME} validate {settings.options}",
        )


def _project(bundle: Bundle) -> Project:
    """Return the conventions; where the image has every library, jobs need no input with more."""
    return PROJECT if bundle.lock.pins else replace(PROJECT, libraries_input=None)


def environment_subjects(settings: Settings, bundle: Bundle) -> list[tuple[Definition, Deployment]]:
    """Return the compiled pipelines of an environment, each with what is deployed around it."""
    definitions = compiled_definitions(settings, bundle)
    return [
        (
            read_definition(text, f"{flow} pipeline of {settings.environment}"),
            deployment_around(settings, bundle, definitions, flow),
        )
        for flow, text in definitions.items()
    ]


def script_sources() -> Sources:
    """Return the Python sources of ``steps/``; bytes that are no UTF-8 are kept, and reported as no Python."""
    return {
        path.relative_to(STEPS_FOLDER).as_posix(): path.read_text(encoding="utf-8", errors="surrogateescape")
        for path in bundled_files()
        if path.suffix == ".py"
    }


def deployment_around(settings: Settings, bundle: Bundle, definitions: Mapping[Flow, str], flow: Flow) -> Deployment:
    """Return what deployment would put around the pipeline of a flow: triggers and execution role."""
    planned = resources(settings, bundle, definitions)
    policies = {item.name: item.policy for item in planned if isinstance(item, Role)}
    return Deployment(
        pipeline=settings.pipeline_name(flow),
        triggers=tuple(_trigger(item) for item in planned if isinstance(item, Rule) and item.starts is not None),
        policy=policies[settings.execution_role_name],
        functions=tuple(
            Function(settings.function_arn(kind), kind.script, policies[settings.function_name(kind)])
            for kind in FunctionName
        ),
        partition=settings.partition,
        region=settings.region,
    )


def _trigger(rule: Rule) -> Trigger:
    watched = rule.pattern["detail"]
    folder, _, _ = watched["object"]["key"][0]["wildcard"].partition("*")
    parameters = rule.target["SageMakerPipelineParameters"]["PipelineParameterList"]
    return Trigger(
        name=rule.name,
        bucket=watched["bucket"]["name"][0],
        # The rule's patterns are narrower, and differ in their ends.
        key_pattern=f"{folder}*",
        pipeline=str(rule.starts).rpartition("/")[2],
        parameters={item["Name"]: item["Value"] for item in parameters},
    )
