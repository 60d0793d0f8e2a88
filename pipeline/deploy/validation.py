"""The command around the offline checks: what to check."""

from __future__ import annotations

from pathlib import Path

from pipedef.document.definition import read_definition
from pipedef.errors import DefinitionError, UnreadableFileError
from pipedef.linter import Report, read_file, unreadable, validate
from pipeline.definition.bundle import build_bundle
from pipeline.deploy.checks import deployment_around, environment_subjects, script_sources
from pipeline.deploy.script_conventions import PROJECT
from pipeline.deploy.stack import FLOWS, NO_STEPS
from pipeline.errors import InputFileError
from pipeline.settings.contract import Flow
from pipeline.settings.environment import environment_names, load_settings


def validate_environments(environment: str | None, settings_file: Path | None) -> Report:
    """Compile and check the pipelines of one environment, or of every one that has a file; and the step scripts.

    Raises:
        SettingsError: the settings of an environment are wrong.
        DefinitionError: a definition does not compile.
    """
    bundle = build_bundle()
    names = [environment] if environment or settings_file else environment_names()
    subjects = [
        subject for name in names for subject in environment_subjects(load_settings(name, settings_file), bundle)
    ]
    return validate(subjects, script_sources(), PROJECT)


def validate_file(path: Path, environment: str | None, settings_file: Path | None) -> Report:
    """Check a definition in a file. Nothing is compiled, so the SDK is not imported.

    Args:
        path: of the JSON that CreatePipeline takes.
        environment: where it would be deployed; without it, what needs triggers or policies is not checked.
        settings_file: settings to take instead of the environment's own.

    Raises:
        InputFileError: the file can't be read.
    """
    try:
        text = read_file(path)
    except UnreadableFileError as error:
        raise InputFileError(str(error), hint=f"Write a definition with: bikeshare synth --output {path}") from error
    try:
        definition = read_definition(text, str(path))
    except DefinitionError as error:
        return unreadable(str(path), error)
    deployment = None
    if environment or settings_file:
        flow: Flow = "training" if any(definition.steps_of_type("Training")) else "scoring"
        settings = load_settings(environment, settings_file)
        # Of the other pipeline its trigger is enough: what this one writes must not start it either.
        definitions = {**dict.fromkeys(FLOWS, NO_STEPS), flow: text}
        deployment = deployment_around(settings, build_bundle(), definitions, flow)
    return validate([(definition, deployment)], project=PROJECT)
