"""The probe from end to end: what it costs, its run, and a report that can be shown to anybody."""

import re
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from analysis.runtime.project import DISTRIBUTION
from pipeline.aws.clients import Aws, aws_errors
from pipeline.definition.bundle import bundle_of
from pipeline.deploy.compiled import compiled_definitions
from pipeline.errors import DeploymentError
from pipeline.executions.costs import Cluster, spent
from pipeline.preflight.answers import Answer, Verdict
from pipeline.preflight.probe.leftovers import Leftovers
from pipeline.preflight.probe.tries import Tries, Try, answer
from pipeline.settings.environment import Settings
from pipeline.settings.sections import Buckets, Network

#: What the one job runs on (``tries.toml``), and for how long it is billed at most.
_CLUSTER, _JOB_SECONDS = Cluster("ml.t3.medium", 1, 1), 300
_VERSIONS = (DISTRIBUTION, "sagemaker", "boto3")
_ARN = re.compile(r"arn:[^\s\"',)\]}]+")
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")


def probe_settings(settings: Settings) -> Settings:
    """Return settings under which everything is called ``<prefix>-probe-…``; no key, no network, no existing bucket."""
    name = f"{settings.environment}-probe-{secrets.token_hex(2)}"
    own = {"environment": name, "kms_key": None, "buckets": Buckets(), "network": Network()}
    return settings.model_copy(update=own)


def costs(settings: Settings) -> str:
    """Say before the probe what it will do and cost."""
    cost = spent([(_CLUSTER, _JOB_SECONDS)], settings.region)
    return (
        f"The probe makes a bucket, roles, a function, a queue, a rule, pipelines and a model package named "
        f"{settings.prefix}-probe-… in account {settings.account_id}, {settings.region}, runs them, and removes all of "
        f"it again: ten minutes, one job on {_CLUSTER.instance_type}, {cost.amount} and less than a cent for the rest."
    )


def probe(aws: Aws, say: Callable[[str], None]) -> list[Answer]:
    """Try everything; what was made is removed again, also after an interrupt, or named by ``say``.

    Raises:
        DeploymentError: what all tries have in common could not be made.
        DefinitionError: a definition does not compile.
    """
    aws.check_account()
    own = Aws(probe_settings(aws.settings))
    left, answers = Leftovers(own), []
    tries = Tries(own, compiled_definitions(aws.settings, bundle_of(aws.settings)), left)
    try:
        with aws_errors("Probing", own, DeploymentError):
            say("Making a bucket, roles and a function")
            tries.set_up()
            for one in tries.all():
                say(f"Trying: {one.question}")
                answers.append(_judged(one, answer(one)))
    finally:
        say("Removing everything again")
        for command in left.remove_all():
            say(f"Not removed; remove it with: {command}")
            answers.append(Answer(Verdict.PROBLEM, "something is left", "not removed", command, "probe"))
    return answers


def _judged(one: Try, found: str) -> Answer:
    if one.expected in {None, found}:
        return Answer(Verdict.OK, one.question, found, area="probe")
    fix = f"This project relies on: {one.expected}. Please open an issue with this report."
    return Answer(Verdict.PROBLEM, one.question, found, fix, "probe")


def markdown(aws: Aws, answers: Sequence[Answer]) -> str:
    """Write the answers for an issue, without accounts and ARNs."""
    versions = ", ".join(f"{name} {version(name)}" for name in _VERSIONS)
    where = "the local endpoint" if aws.is_local else f"AWS, {aws.settings.region}"
    asked = "What is asked is in `pipeline/preflight/probe/tries.toml`."
    parts = [f"### Probe of {where}, {datetime.now(UTC):%Y-%m-%d}", f"{versions}. {asked}"]
    for one in answers:
        parts += [f"**{one.about}**", f"```\n{one.detail}\n```", *([one.fix] if one.fix else [])]
    return _ACCOUNT.sub("<account>", _ARN.sub("<arn>", "\n\n".join(parts)))
