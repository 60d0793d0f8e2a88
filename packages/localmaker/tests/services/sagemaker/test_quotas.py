"""Quotas are examples that nothing enforces; an increase is granted at once."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

GPU = "ml.g4dn.12xlarge for transform job usage"


@pytest.fixture
def quotas(endpoint):
    return endpoint.client("service-quotas")


def listed(quotas, service="sagemaker"):
    pages = quotas.get_paginator("list_service_quotas").paginate(ServiceCode=service)
    return {quota["QuotaName"]: quota for page in pages for quota in page["Quotas"]}


def test_every_instance_type_has_one_for_each_kind_of_job(quotas):
    found = listed(quotas)
    kinds = {f"ml.m5.large for {kind} job usage" for kind in ("processing", "training", "transform")}
    assert {found[name]["Value"] for name in kinds} == {4}
    assert found[GPU]["Value"] == 0
    assert len({quota["QuotaCode"] for quota in found.values()}) == len(found)


def test_an_increase_is_granted_and_a_decrease_is_none(quotas):
    code = listed(quotas)[GPU]["QuotaCode"]
    request = {"ServiceCode": "sagemaker", "QuotaCode": code}
    assert quotas.request_service_quota_increase(**request, DesiredValue=2)["RequestedQuota"]["Status"] == "APPROVED"
    assert quotas.get_service_quota(**request)["Quota"]["Value"] == 2
    assert quotas.list_service_quotas(**request)["Quotas"][0]["Value"] == 2
    with pytest.raises(ClientError, match="greater than the current quota value"):
        quotas.request_service_quota_increase(**request, DesiredValue=1)


@pytest.mark.parametrize("request_", [{"ServiceCode": "lambda", "QuotaCode": "L-00000000"}, {"ServiceCode": "nothing"}])
def test_what_does_not_exist_is_refused(quotas, request_):
    ask = quotas.get_service_quota if "QuotaCode" in request_ else quotas.list_service_quotas
    with pytest.raises(ClientError, match="does not exist"):
        ask(**request_)


def test_quotas_of_vpcs_are_motos(quotas):
    code = quotas.list_aws_default_service_quotas(ServiceCode="vpc")["Quotas"][0]["QuotaCode"]
    assert quotas.get_service_quota(ServiceCode="vpc", QuotaCode=code)["Quota"]["QuotaCode"] == code
