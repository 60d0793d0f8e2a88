"""All questions to an account that only read."""

from functools import partial

from pipeline.aws.clients import Aws
from pipeline.definition.bundle import bundle_of
from pipeline.deploy.compiled import compiled_definitions
from pipeline.deploy.stack import resources, resources_to_remove
from pipeline.errors import DefinitionError
from pipeline.preflight.answers import Answer, Question, Verdict, answered
from pipeline.preflight.keys import key_answers
from pipeline.preflight.names import name_answers
from pipeline.preflight.network import network_answers
from pipeline.preflight.permissions import boundary_answers, operator_answers
from pipeline.preflight.quotas import function_quota, instance_quotas, instances_needed


def preflight(aws: Aws) -> list[Answer]:
    """Ask an account everything that can be read; nothing is changed.

    Raises:
        DeploymentError: there are no credentials, or they are another account's.
    """
    aws.check_account()
    bundle, settings = bundle_of(aws.settings), aws.settings
    boundary = settings.boundary_arn
    needed: dict[str, int] = {}
    planned = resources_to_remove(settings, bundle)
    # The SDK's table has no image for a region that lacks it, and then nothing compiles.
    compiled = Answer(Verdict.OK, settings.region, "both compile: the SDK knows an image in this region")
    try:
        definitions = compiled_definitions(settings, bundle)
    except DefinitionError as error:
        compiled = Answer(Verdict.PROBLEM, settings.region, error.message, error.hint or "")
    else:
        planned = resources(settings, bundle, definitions)
        needed = instances_needed(settings, definitions.values())
    largest = max(needed.values(), default=1)
    keys = dict.fromkeys(key for key in (settings.kms_key, *settings.buckets.kms_keys) if key)
    questions = [
        Question("definitions", settings.region, lambda: [compiled]),
        Question("quota", "instances", partial(instance_quotas, aws, needed)),
        Question("quota", "functions", partial(function_quota, aws)),
        *([Question("network", "subnets", partial(network_answers, aws, largest))] if settings.network.subnets else []),
        *(Question("key", key, partial(key_answers, aws, key, for_events=key == settings.kms_key)) for key in keys),
        *(
            Question("name", f"{one.kind} {one.name}", partial(name_answers, aws, one))
            for one in planned
            if one.is_wanted
        ),
        *([Question("operator", "boundary", partial(boundary_answers, aws, boundary))] if boundary else []),
        Question("operator", "permissions", partial(operator_answers, aws)),
    ]
    return answered(questions)
