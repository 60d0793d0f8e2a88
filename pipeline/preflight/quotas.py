"""Quotas: SageMaker counts instances by type and kind of job, and in a new account many of them are 0."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipedef.document.definition import read_definition
from pipeline.aws.clients import Aws
from pipeline.executions.costs import clusters
from pipeline.preflight.answers import Answer, Verdict
from pipeline.settings.environment import Settings

#: "Concurrent executions" of Lambda; the same in every account.
_CONCURRENT_CALLS = "L-B99A9384"
_EXECUTIONS = "concurrent pipeline executions"


def instances_needed(settings: Settings, definitions: Iterable[str]) -> dict[str, int]:
    """Return the names of the quotas that compiled pipelines count on, each with the instances of its largest step."""
    needed: dict[str, int] = {}
    for definition in (read_definition(text, "definition") for text in definitions):
        types = {step.name: step.type for step in definition.steps}
        for step, cluster in clusters(definition, {}).items():
            name = f"{cluster.instance_type} for {types[step].lower()} job usage"
            needed[name] = max(needed.get(name, 0), cluster.instances)
    if settings.instances.warm_pool_seconds:
        needed[f"{settings.instances.training} for training warm pool usage"] = 1
    return dict(sorted(needed.items()))


def instance_quotas(aws: Aws, needed: Mapping[str, int]) -> Iterator[Answer]:
    """Answer whether each job can get its instances, and how many executions run at the same time."""
    quotas = _listed(aws, "list_service_quotas")
    if not needed.keys() <= quotas.keys():
        # A quota that was never changed may have a default value only ("ListServiceQuotas", API reference).
        quotas = {**_listed(aws, "list_aws_default_service_quotas"), **quotas}
    for name, instances in needed.items():
        yield judged(name, quotas.get(name), instances)
    yield from (judged(name, quota, 1) for name, quota in quotas.items() if _EXECUTIONS in name.lower())


def function_quota(aws: Aws) -> Iterator[Answer]:
    """Answer whether functions may run at all."""
    answer = aws.service_quotas.get_service_quota(ServiceCode="lambda", QuotaCode=_CONCURRENT_CALLS)
    yield judged("concurrent Lambda executions", answer["Quota"], 1)


def judged(name: str, quota: Mapping[str, Any] | None, needed: int) -> Answer:
    """Compare a quota with what one execution needs of it."""
    if quota is None:
        return Answer(Verdict.UNKNOWN, name, "Service Quotas lists no such quota", "Has the region this instance type?")
    value = quota["Value"]
    detail = f"{value:g}; one run needs {needed}"
    if value < needed:
        words = f"--service-code {quota['ServiceCode']} --quota-code {quota['QuotaCode']} --desired-value {2 * needed}"
        return Answer(Verdict.PROBLEM, name, detail, f"aws service-quotas request-service-quota-increase {words}")
    one = "; a second run at the same time fails with ResourceLimitExceeded after its retries"
    return Answer(Verdict.OK, name, f"{detail}{one if value < 2 * needed else ''}")


def _listed(aws: Aws, operation: str) -> dict[str, Mapping[str, Any]]:
    pages = aws.service_quotas.get_paginator(operation).paginate(ServiceCode="sagemaker")
    return {quota["QuotaName"]: quota for page in pages for quota in page["Quotas"]}
