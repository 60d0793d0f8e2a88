"""Notebook instances as boto3 sees them: requests, states, lists, events."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from tests.services.sagemaker.notebooks.conftest import ROLE


def test_which_operation_is_allowed_in_which_state(notebooks, eventually):
    sagemaker, name = notebooks.sagemaker, notebooks.create()
    arn = notebooks.describe()["NotebookInstanceArn"]

    def refused(operation, target, allowed, status):
        with pytest.raises(ClientError) as error:
            getattr(sagemaker, f"{operation}_notebook_instance")(NotebookInstanceName=name)
        assert error.value.response["Error"] == {
            "Code": "ValidationException",
            "Message": f"Status ({status}) not in ([{allowed}]). Unable to transition to ({target}) "
            f"for Notebook Instance ({arn}).",
        }

    with pytest.raises(ClientError, match="duplicate Notebook Instance"):
        notebooks.create()
    notebooks.wait("", "InService")
    for operation, target in [("start", "Pending"), ("update", "Updating"), ("delete", "Deleting")]:
        refused(operation, target, "Stopped, Failed", "InService")
    sagemaker.stop_notebook_instance(NotebookInstanceName=name)
    assert notebooks.wait("", "Stopped", "Failed")["NotebookInstanceStatus"] == "Stopped"
    refused("stop", "Stopping", "InService", "Stopped")
    sagemaker.update_notebook_instance(NotebookInstanceName=name, VolumeSizeInGB=7)
    refused("start", "Pending", "Stopped, Failed", "Updating")
    assert notebooks.wait("", "Stopped")["VolumeSizeInGB"] == 7
    sagemaker.delete_notebook_instance(NotebookInstanceName=name)
    eventually(lambda: not sagemaker.list_notebook_instances(NameContains=name)["NotebookInstances"])
    for operation in ("describe", "start", "stop", "update", "delete"):
        with pytest.raises(ClientError, match="RecordNotFound"):
            getattr(sagemaker, f"{operation}_notebook_instance")(NotebookInstanceName=name)


def test_what_is_described(notebooks, unique):
    config = notebooks.configure("true")
    notebooks.sagemaker.create_code_repository(
        CodeRepositoryName=unique, GitConfig={"RepositoryUrl": "https://127.0.0.1:9/x.git"}
    )
    request = {
        "SubnetId": "subnet-1",
        "SecurityGroupIds": ["sg-1"],
        "DefaultCodeRepository": unique,
        "AdditionalCodeRepositories": ["https://127.0.0.1:9/y.git"],
        "DirectInternetAccess": "Disabled",
        "RootAccess": "Disabled",
        "PlatformIdentifier": "notebook-al2-v3",
        "VolumeSizeInGB": 20,
    }
    name = notebooks.create(f"{unique}-Mixed", LifecycleConfigName=config, Tags=[{"Key": "a", "Value": "1"}], **request)
    found = notebooks.describe(name)
    groups = request.pop("SecurityGroupIds")
    assert found.items() >= request.items()
    assert found["SecurityGroups"] == groups
    assert found["NotebookInstanceLifecycleConfigName"] == config
    assert found["NotebookInstanceArn"].endswith(f":notebook-instance/{name.lower()}")
    assert found["RoleArn"] == ROLE
    tags = notebooks.sagemaker.list_tags(ResourceArn=found["NotebookInstanceArn"])["Tags"]
    assert tags == [{"Key": "a", "Value": "1"}]
    with pytest.raises(ClientError, match="is in use by Notebook Instance"):
        notebooks.sagemaker.delete_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=config)
    notebooks.wait(name, "Failed")
    notebooks.sagemaker.update_notebook_instance(
        NotebookInstanceName=name,
        InstanceType="ml.t3.large",
        DisassociateLifecycleConfig=True,
        DisassociateDefaultCodeRepository=True,
        DisassociateAdditionalCodeRepositories=True,
    )
    changed = notebooks.wait(name, "Stopped")
    assert changed["InstanceType"] == "ml.t3.large"
    gone = {"NotebookInstanceLifecycleConfigName", "DefaultCodeRepository", "AdditionalCodeRepositories"}
    assert not gone & changed.keys()
    assert "FailureReason" not in changed


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"LifecycleConfigName": "nowhere"}, "Lifecycle Config does not exist"),
        ({"DefaultCodeRepository": "nowhere"}, "Cannot find CodeRepository arn"),
        ({"AdditionalCodeRepositories": ["nowhere"]}, "Cannot find CodeRepository arn"),
        ({"DefaultCodeRepository": "http://example.com/x.git"}, "regular expression"),
        ({"DefaultCodeRepository": "ext::sh -c true"}, "regular expression"),
        ({"DefaultCodeRepository": "file:///etc"}, "regular expression"),
        ({"DirectInternetAccess": "Disabled"}, "only if SubnetId is set"),
        ({"SecurityGroupIds": ["sg-1"]}, "only if SubnetId is set"),
        ({"PlatformIdentifier": "notebook-al1-v1"}, "is not supported for this service"),
        ({"InstanceType": "ml.x9.tiny"}, "enum value set"),
        ({"RoleArn": "arn:aws:iam::123456789012:user/ada"}, "regular expression"),
    ],
)
def test_what_is_refused(notebooks, fields, match):
    with pytest.raises(ClientError, match=match) as refused:
        notebooks.create(**fields)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(ClientError, match="RecordNotFound"):
        notebooks.describe()


def test_what_an_update_refuses(notebooks):
    name = notebooks.create(VolumeSizeInGB=10)
    notebooks.wait("", "InService")
    notebooks.stop()
    before = notebooks.describe()
    for fields, match in [
        ({"VolumeSizeInGB": 5}, "cannot be decreased"),
        ({"LifecycleConfigName": "nowhere"}, "does not exist"),
        ({"LifecycleConfigName": "nowhere", "DisassociateLifecycleConfig": True}, "disassociated at once"),
    ]:
        with pytest.raises(ClientError, match=match):
            notebooks.sagemaker.update_notebook_instance(NotebookInstanceName=name, **fields)
    after = notebooks.describe()
    assert {**after, "ResponseMetadata": 0} == {**before, "ResponseMetadata": 0}


def test_there_is_no_jupyter(notebooks):
    name = notebooks.create()
    with pytest.raises(ClientError, match="runs no Jupyter server"):
        notebooks.sagemaker.create_presigned_notebook_instance_url(NotebookInstanceName=name)


def test_lists_are_filtered_sorted_and_paged(notebooks, unique):
    config = notebooks.configure("true")
    notebooks.create(f"{unique}-b", LifecycleConfigName=config)
    notebooks.create(f"{unique}-c", AdditionalCodeRepositories=["https://127.0.0.1:9/more.git"])
    notebooks.create(f"{unique}-a", DefaultCodeRepository="https://127.0.0.1:9/default.git")
    for letter in "abc":
        notebooks.wait(f"{unique}-{letter}", "InService", "Failed")

    def listed(**more):
        pages = notebooks.sagemaker.get_paginator("list_notebook_instances").paginate(
            NameContains=unique.upper(), PaginationConfig={"PageSize": 2}, **more
        )
        return "".join(one["NotebookInstanceName"][-1] for page in pages for one in page["NotebookInstances"])

    assert listed() == "abc"
    assert listed(SortOrder="Descending") == "cba"
    assert listed(SortBy="CreationTime") == "bca"
    assert listed(SortBy="Status") == "acb"
    assert listed(StatusEquals="InService") == "b"
    assert listed(NotebookInstanceLifecycleConfigNameContains=config[2:]) == "b"
    assert listed(DefaultCodeRepositoryContains="default") == "a"
    assert listed(AdditionalCodeRepositoryEquals="https://127.0.0.1:9/more.git") == "c"
    assert listed(CreationTimeAfter=notebooks.describe(f"{unique}-b")["CreationTime"]) == "ac"


def test_each_state_is_an_event(notebooks, endpoint, queue):
    events = endpoint.client("events")
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Notebook Instance State Change"],
        "detail": {"NotebookInstanceName": [notebooks.unique]},
    }
    events.put_rule(Name=notebooks.unique, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=notebooks.unique, Targets=[{"Id": "queue", "Arn": queue.arn}])
    notebooks.create(Tags=[{"Key": "a", "Value": "1"}])
    found = notebooks.wait("", "InService")
    notebooks.stop()
    published = queue.events(4)
    assert {one["detail"]["NotebookInstanceStatus"] for one in published} == {
        "Pending",
        "InService",
        "Stopping",
        "Stopped",
    }
    detail = published[0]["detail"]
    assert published[0]["resources"] == [found["NotebookInstanceArn"]]
    assert detail["Tags"] == {"a": "1"}
    assert detail["CreationTime"] == round(found["CreationTime"].timestamp() * 1000)


def test_one_of_many_that_start_at_once_does(notebooks):
    notebooks.create()
    notebooks.wait("", "InService")
    notebooks.stop()

    def start(_number):
        try:
            notebooks.sagemaker.start_notebook_instance(NotebookInstanceName=notebooks.unique)
        except ClientError as error:
            return error.response["Error"]["Message"][:14]
        return "started"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(start, range(8)))
    assert sorted(answers) == ["Status (Pendin"] * 7 + ["started"]
    notebooks.wait("", "InService")
