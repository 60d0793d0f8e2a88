"""Service Quotas: SageMaker's instances and pipelines, and Lambda's calls; moto knows quotas of VPCs only.

The endpoint enforces none of them. Its values are examples of what an account has: a few ordinary instances, and none
with an accelerator. A requested increase is granted at once.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import Any

from moto.core.utils import get_service_model

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.listing import page
from localmaker.services.sagemaker.store import ResourceStore

_KIND = "service-quotas"
_PAGE = 100
_INSTANCES = 4.0
_ACCELERATED = re.compile(r"ml\.(p|g|trn|inf)\d")
_NAMES = {"sagemaker": "Amazon SageMaker", "lambda": "AWS Lambda"}
#: Quotas that are no instances: (name, AWS's code or none, AWS's default).
_OTHERS = {
    "sagemaker": [("Maximum number of concurrent pipeline executions allowed per account", "", 20.0)],
    "lambda": [("Concurrent executions", "L-B99A9384", 1000.0)],
}


@operation("service-quotas", "ListServiceQuotas")
def list_service_quotas(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List the quotas of a service as they are."""
    wanted = request.get("QuotaCode")
    found = [quota for quota in _quotas(request, context) if wanted in (None, quota["QuotaCode"])]
    return page(found, {"MaxResults": _PAGE, **request}, "Quotas")


@operation("service-quotas", "ListAWSDefaultServiceQuotas")
def list_default_quotas(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List the quotas of a service before any increase; those of VPCs are moto's."""
    if request["ServiceCode"] not in _NAMES:
        return context.ask_moto(request)
    return page(_defaults(request["ServiceCode"], context), {"MaxResults": _PAGE, **request}, "Quotas")


@operation("service-quotas", "GetServiceQuota")
def get_service_quota(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Return one quota; those of VPCs are moto's."""
    if request["ServiceCode"] not in _NAMES:
        return context.ask_moto(request)
    return {"Quota": _quota(request, context)}


@operation("service-quotas", "RequestServiceQuotaIncrease")
def request_increase(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Grant an increase; refuse what is none."""
    quota, value = _quota(request, context), request["DesiredValue"]
    if value <= quota["Value"]:
        text = f"You must provide a quota value greater than the current quota value [{quota['Value']}]."
        raise AwsError("IllegalArgumentException", text)
    context.service(ResourceStore).put(_KIND, quota["QuotaArn"], value)
    known = ("ServiceCode", "ServiceName", "QuotaCode", "QuotaName", "QuotaArn", "GlobalQuota", "Unit")
    granted = {"Id": uuid.uuid4().hex, "DesiredValue": value, "Status": "APPROVED"}
    return {"RequestedQuota": {**{name: quota[name] for name in known}, **granted}}


def _quota(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    code = request["QuotaCode"]
    found = next((quota for quota in _quotas(request, context) if quota["QuotaCode"] == code), None)
    if found is None:
        raise AwsError("NoSuchResourceException", "The request failed because the specified quota does not exist.")
    return found


def _quotas(request: dict[str, Any], context: RequestContext) -> list[dict[str, Any]]:
    store = context.service(ResourceStore)
    quotas = _defaults(request["ServiceCode"], context)
    return [{**quota, "Value": store.get(_KIND, quota["QuotaArn"]) or quota["Value"]} for quota in quotas]


def _defaults(service: str, context: RequestContext) -> list[dict[str, Any]]:
    if service not in _NAMES:
        raise AwsError("NoSuchResourceException", "The request failed because the specified service does not exist.")
    found = []
    for name, known, value in [*_OTHERS[service], *(_instances() if service == "sagemaker" else [])]:
        # AWS's codes mean nothing, so those that are not known here are made from the name.
        code = known or f"L-{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"
        found.append(
            {
                "ServiceCode": service,
                "ServiceName": _NAMES[service],
                "QuotaArn": f"arn:aws:servicequotas:{context.region}:{context.account_id}:{service}/{code}",
                "QuotaCode": code,
                "QuotaName": name,
                "Value": value,
                "Unit": "None",
                "Adjustable": True,
                "GlobalQuota": False,
            }
        )
    return found


def _instances() -> list[tuple[str, str, float]]:
    """Return the quota of every type of instance that a kind of job takes, as botocore's model lists them."""
    model = get_service_model("sagemaker")
    return [
        (f"{name} for {kind.lower()} job usage", "", 0.0 if _ACCELERATED.match(name) else _INSTANCES)
        for kind in ("Processing", "Training", "Transform")
        for name in model.shape_for(f"{kind}InstanceType").enum
    ]
