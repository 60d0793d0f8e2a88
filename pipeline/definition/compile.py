"""Compile the pipelines of :mod:`~pipeline.definition.training` and :mod:`~pipeline.definition.scoring`.

Compiling is a pure function of settings and sources: no network, no credentials, always the same bytes.
"""

import json

from pipeline.definition.bundle import Bundle, bundle_of
from pipeline.definition.sdk import offline_sdk
from pipeline.errors import DefinitionError
from pipeline.settings.contract import Flow
from pipeline.settings.environment import Settings


def compile_definition(settings: Settings, flow: Flow, bundle: Bundle | None = None) -> str:
    """Return a pipeline's definition as the JSON text that CreatePipeline takes.

    Raises:
        DefinitionError: the SDK refused the definition.
    """
    with offline_sdk(settings.region):
        from pipeline.definition.scoring import scoring_pipeline
        from pipeline.definition.training import training_pipeline

        build = training_pipeline if flow == "training" else scoring_pipeline
        try:
            return canonical(build(settings, bundle or bundle_of(settings)).definition())
        except (TypeError, ValueError, AttributeError) as error:
            raise DefinitionError(
                f"The {flow} pipeline of {settings.environment!r} does not compile: {error}",
                hint=f"Check the last change to pipeline/definition/{flow}.py and the settings it uses.",
            ) from error


def canonical(definition: str) -> str:
    """Return the definition in its one spelling: indented, without nulls at the top, comparable line by line."""
    content = {key: value for key, value in json.loads(definition).items() if value is not None}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
