"""Pipelines, versions and tags."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from localmaker.errors import AwsError
from localmaker.services.sagemaker.pipelines.naming import parse_arn

ARN = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/my-pipeline"


@pytest.fixture
def create(call, build):
    def create_one(name="My-Pipeline", **more):
        request = {"PipelineDefinition": build.definition(build.processing("A")), "RoleArn": build.role, **more}
        return call("CreatePipeline", PipelineName=name, **request)

    return create_one


def test_a_pipeline_is_described_as_it_was_created(create, call, build):
    assert create(
        PipelineDescription="d", PipelineDisplayName="shown", ParallelismConfiguration={"MaxParallelExecutionSteps": 3}
    ) == {"PipelineArn": ARN}
    for name in ("My-Pipeline", ARN):
        described = call("DescribePipeline", PipelineName=name)
        assert described["PipelineName"] == "My-Pipeline"
        assert described["PipelineDisplayName"] == "shown"
        assert described["PipelineDescription"] == "d"
        assert described["PipelineStatus"] == "Active"
        assert described["RoleArn"] == build.role
        assert described["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 3}
        assert described["PipelineDefinition"] == build.definition(build.processing("A"))


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/my-pipeline",
        "arn:aws:sagemaker:us-east-1:210987654321:pipeline/my-pipeline",
    ],
)
def test_a_pipeline_of_another_region_or_account_is_not_found(create, call, service, arn):
    create()
    for operation in ("DescribePipeline", "StartPipelineExecution", "ListPipelineExecutions"):
        with pytest.raises(AwsError, match=f"ResourceNotFound: Pipeline '{arn}' does not exist"):
            call(operation, PipelineName=arn)
    with pytest.raises(AwsError, match="ResourceNotFound"):
        service.catalog.change_tags(arn, {})


def test_a_name_is_taken_once_and_a_token_answers_twice(create):
    token = uuid.uuid4().hex
    first = create(ClientRequestToken=token)
    assert create(ClientRequestToken=token) == first
    with pytest.raises(AwsError, match="must be unique within an AWS account"):
        create()
    with pytest.raises(AwsError, match="ConflictException"):
        create("Other", ClientRequestToken=token)


def test_update_changes_what_is_given_and_counts_versions(create, call, build):
    create(PipelineDescription="d")
    new = build.definition(build.processing("B"))
    assert call("UpdatePipeline", PipelineName="My-Pipeline", PipelineDefinition=new) == {
        "PipelineArn": ARN,
        "PipelineVersionId": 2,
    }
    described = call("DescribePipeline", PipelineName="My-Pipeline")
    assert (described["PipelineDefinition"], described["PipelineDescription"]) == (new, "d")
    assert described["LastModifiedTime"] > described["CreationTime"]
    old = call("DescribePipeline", PipelineName="My-Pipeline", PipelineVersionId=1)
    assert old["PipelineDefinition"] == build.definition(build.processing("A"))
    versions = call("ListPipelineVersions", PipelineName="My-Pipeline")["PipelineVersionSummaries"]
    assert [item["PipelineVersionId"] for item in versions] == [2, 1]
    with pytest.raises(AwsError, match="ResourceNotFound"):
        call("DescribePipeline", PipelineName="My-Pipeline", PipelineVersionId=3)


def test_versions_have_names_and_aliases(create, call, build, service):
    create()
    call("UpdatePipeline", PipelineName="My-Pipeline", PipelineDefinition=build.definition(build.processing("B")))

    def update(version, **more):
        return call("UpdatePipelineVersion", PipelineArn=ARN, PipelineVersionId=version, **more)

    first = {"PipelineVersionDisplayName": "first", "PipelineVersionDescription": "the first"}
    given = update(1, **first, PipelineVersionAliasOperations={"Add": ["live", "old"]})
    assert given == {"PipelineArn": ARN, "PipelineVersionId": 1}
    described = call("DescribePipeline", PipelineName="My-Pipeline", PipelineVersionAlias="live")
    assert described["PipelineDefinition"] == build.definition(build.processing("A"))
    assert first.items() <= described.items()
    assert described["PipelineVersionAliases"] == ["live", "old"]
    arn = call("StartPipelineExecution", PipelineName="My-Pipeline", PipelineVersionAlias="live")[
        "PipelineExecutionArn"
    ]
    assert call("DescribePipelineExecution", PipelineExecutionArn=arn)["PipelineVersionId"] == 1
    assert service.executions.wait(arn, 30) == "Succeeded"

    with pytest.raises(AwsError, match=r"Alias \[live\] belongs to version 1") as caught:
        update(2, PipelineVersionAliasOperations={"Add": ["live"]})
    assert caught.value.code == "ConflictException"
    update(1, PipelineVersionAliasOperations={"Remove": ["live"]})
    update(2, PipelineVersionAliasOperations={"Add": ["live"]})
    listed = call("ListPipelineVersions", PipelineName="My-Pipeline")["PipelineVersionSummaries"]
    assert [item["PipelineVersionAliases"] for item in listed] == [["live"], ["old"]]
    with pytest.raises(AwsError, match=r"No version of .* has the alias \[new\]"):
        call("DescribePipeline", PipelineName="My-Pipeline", PipelineVersionAlias="new")
    with pytest.raises(AwsError, match="mutually exclusive"):
        call("DescribePipeline", PipelineName="My-Pipeline", PipelineVersionAlias="live", PipelineVersionId=1)


def test_a_version_gets_its_aliases_where_it_is_made(create, call, build):
    create(PipelineVersionAliases=["dev", "v1.0"])
    assert call("DescribePipeline", PipelineName="My-Pipeline")["PipelineVersionAliases"] == ["dev", "v1.0"]
    new = build.definition(build.processing("B"))
    call("UpdatePipeline", PipelineName="My-Pipeline", PipelineDefinition=new, PipelineVersionAliases=["next"])
    listed = call("ListPipelineVersions", PipelineName="My-Pipeline")["PipelineVersionSummaries"]
    assert [item["PipelineVersionAliases"] for item in listed] == [["next"], ["dev", "v1.0"]]

    def refused(said, code="ValidationException", **request):
        with pytest.raises(AwsError, match=said) as caught:
            call("UpdatePipeline", PipelineName="My-Pipeline", **request)
        assert caught.value.code == code

    refused("only when the update changes the pipeline definition", PipelineVersionAliases=["again"])
    refused("only when", PipelineDefinition=new, PipelineVersionAliases=["again"])
    newer = build.definition(build.processing("C"))
    refused(
        r"Alias \[dev\] belongs to version 1",
        "ConflictException",
        PipelineDefinition=newer,
        PipelineVersionAliases=["dev"],
    )
    refused(r"\[12\] consists of digits only", PipelineDefinition=newer, PipelineVersionAliases=["12"])
    with pytest.raises(AwsError, match="consists of digits only"):
        create("Other", PipelineVersionAliases=["12"])
    with pytest.raises(AwsError, match="consists of digits only"):
        call(
            "UpdatePipelineVersion",
            PipelineArn=ARN,
            PipelineVersionId=1,
            PipelineVersionAliasOperations={"Add": ["007"]},
        )
    assert call("DescribePipeline", PipelineName="My-Pipeline")["PipelineDefinition"] == new


def test_executions_are_found_by_the_alias_of_their_version(create, call, build, service):
    create(PipelineVersionAliases=["old"])
    call("UpdatePipeline", PipelineName="My-Pipeline", PipelineDefinition=build.definition(build.processing("B")))
    old, new = (
        call("StartPipelineExecution", PipelineName="My-Pipeline", **version)["PipelineExecutionArn"]
        for version in ({"PipelineVersionAlias": "old"}, {})
    )
    for arn in (old, new):
        service.executions.wait(arn, 30)

    def listed(**request):
        return call("ListPipelineExecutions", PipelineName="My-Pipeline", **request)["PipelineExecutionSummaries"]

    assert [item["PipelineExecutionArn"] for item in listed()] == [new, old]
    [found] = listed(PipelineVersionAlias="old")
    assert (found["PipelineExecutionArn"], found["PipelineVersionAliases"]) == (old, ["old"])
    assert call("DescribePipelineExecution", PipelineExecutionArn=old)["PipelineVersionAliases"] == ["old"]
    # It is the version that has the alias now which counts.
    moved = {"Remove": ["old"]}
    call("UpdatePipelineVersion", PipelineArn=ARN, PipelineVersionId=1, PipelineVersionAliasOperations=moved)
    call("UpdatePipelineVersion", PipelineArn=ARN, PipelineVersionId=2, PipelineVersionAliasOperations={"Add": ["old"]})
    assert [item["PipelineExecutionArn"] for item in listed(PipelineVersionAlias="old")] == [new]
    assert "PipelineVersionAliases" not in call("DescribePipelineExecution", PipelineExecutionArn=old)
    with pytest.raises(AwsError, match=r"ResourceNotFound: No version of .* has the alias \[gone\]"):
        listed(PipelineVersionAlias="gone")


def test_pipelines_are_the_customers_own(create, call):
    create()
    assert call("ListPipelines", ManagedBy="AWS")["PipelineSummaries"] == []
    assert len(call("ListPipelines", ManagedBy="CUSTOMER")["PipelineSummaries"]) == 1


def test_a_definition_can_lie_in_s3(create, call, build, client, bucket):
    text = build.definition(build.processing("FromS3"))
    client("s3").put_object(Bucket=bucket, Key="d.json", Body=text.encode())
    location = {"Bucket": bucket, "ObjectKey": "d.json"}
    call("CreatePipeline", PipelineName="p", RoleArn=build.role, PipelineDefinitionS3Location=location)
    assert call("DescribePipeline", PipelineName="p")["PipelineDefinition"] == text
    missing = {"Bucket": bucket, "ObjectKey": "none.json"}
    with pytest.raises(AwsError, match=f"Cannot read the pipeline definition at s3://{bucket}/none.json"):
        call("CreatePipeline", PipelineName="q", RoleArn=build.role, PipelineDefinitionS3Location=missing)
    with pytest.raises(AwsError, match="Either Pipeline Definition or Pipeline Definition S3 location should be"):
        call("CreatePipeline", PipelineName="q", RoleArn=build.role)
    with pytest.raises(AwsError, match="Both Pipeline Definition and Pipeline Definition S3 Location shouldn't be"):
        create("q", PipelineDefinitionS3Location=location)


def test_a_bad_definition_is_refused_and_nothing_is_created(create, call):
    with pytest.raises(AwsError, match="Unable to parse pipeline definition"):
        create(PipelineDefinition="{}")
    with pytest.raises(AwsError, match=f"ResourceNotFound: Pipeline '{ARN}' does not exist"):
        call("DescribePipeline", PipelineName="My-Pipeline")


def test_lists_are_filtered_and_sorted(create, call):
    for name in ("beta", "alpha", "gamma-1"):
        create(name)

    def names(**request):
        return [item["PipelineName"] for item in call("ListPipelines", **request)["PipelineSummaries"]]

    assert names() == ["gamma-1", "alpha", "beta"]
    assert names(SortBy="Name", SortOrder="Ascending") == ["alpha", "beta", "gamma-1"]
    assert names(PipelineNamePrefix="gam") == ["gamma-1"]
    created = call("DescribePipeline", PipelineName="alpha")["CreationTime"]
    assert names(CreatedAfter=created) == ["gamma-1"]
    assert names(CreatedBefore=created) == ["beta"]


def test_delete_takes_executions_along_but_waits_for_running_ones(create, call, service, jobs):
    create()
    jobs.hold("A")
    arn = call("StartPipelineExecution", PipelineName="My-Pipeline")["PipelineExecutionArn"]
    jobs.await_running("A")
    with pytest.raises(AwsError, match=r"ConflictException.*StopPipelineExecution"):
        call("DeletePipeline", PipelineName="My-Pipeline")
    jobs.release("A")
    service.executions.wait(arn, 30)
    assert call("DeletePipeline", PipelineName="My-Pipeline") == {"PipelineArn": ARN}
    for operation, request in (
        ("DescribePipeline", {"PipelineName": "My-Pipeline"}),
        ("DescribePipelineExecution", {"PipelineExecutionArn": arn}),
        ("DeletePipeline", {"PipelineName": "My-Pipeline"}),
    ):
        with pytest.raises(AwsError, match="ResourceNotFound"):
            call(operation, **request)
    create()
    assert call("ListPipelineExecutions", PipelineName="My-Pipeline")["PipelineExecutionSummaries"] == []


def test_a_delete_is_answered_again_for_its_token(create, call):
    create()
    token = uuid.uuid4().hex
    for _ in range(2):
        assert call("DeletePipeline", PipelineName="My-Pipeline", ClientRequestToken=token) == {"PipelineArn": ARN}
    with pytest.raises(AwsError, match="ResourceNotFound"):
        call("DeletePipeline", PipelineName="My-Pipeline")
    # The token stands for that deletion, not for one of a pipeline that has the name now.
    create()
    assert call("DeletePipeline", PipelineName="My-Pipeline", ClientRequestToken=token) == {"PipelineArn": ARN}
    assert call("DescribePipeline", PipelineName="My-Pipeline")["PipelineArn"] == ARN


def at_once(count, function):
    """Make several calls at the same time; return the result or error code of each."""
    ready = threading.Barrier(count)

    def one(number):
        ready.wait()
        try:
            return function(number)
        except AwsError as error:
            return error.code

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_a_name_is_given_once_to_callers_at_the_same_time(service, build):
    def create(number):
        text = build.definition(build.fail("F", str(number)))
        return service.catalog.create({"PipelineName": "p", "RoleArn": build.role, "PipelineDefinition": text})

    results = at_once(16, create)
    assert results.count("ValidationException") == 15
    assert len([one for one in results if one != "ValidationException"]) == 1


def test_updates_at_the_same_time_are_all_kept(create, service, build):
    create()

    def update(number):
        if number % 2:
            return service.catalog.change_tags(ARN, {f"k{number}": "v"})
        text = build.definition(build.fail("F", str(number)))
        return service.catalog.update({"PipelineName": "My-Pipeline", "PipelineDefinition": text})["PipelineVersionId"]

    results = at_once(16, update)
    assert sorted(one for one in results if isinstance(one, int)) == list(range(2, 10))
    assert len(service.catalog.change_tags(ARN, {})) == 8


def test_a_pipeline_is_not_deleted_under_a_start(create, service, call):
    for _ in range(8):
        create()

        def delete_or_start(number):
            if number:
                return service.executions.start({"PipelineName": "My-Pipeline"})["PipelineExecutionArn"]
            return service.catalog.delete({"PipelineName": "My-Pipeline"})

        deleted, started = at_once(2, delete_or_start)
        if deleted == "ConflictException":
            assert service.executions.wait(started, 30) == "Succeeded"
            call("DeletePipeline", PipelineName="My-Pipeline")
        elif started == "ResourceNotFound":
            assert deleted == {"PipelineArn": ARN}
        else:
            # It had ended before it was deleted, and went with the pipeline.
            with pytest.raises(AwsError, match="ResourceNotFound"):
                call("DescribePipelineExecution", PipelineExecutionArn=started)


def test_tags_are_added_replaced_and_removed(create, service):
    create(Tags=[{"Key": "team", "Value": "a"}])
    assert service.catalog.change_tags(ARN, {"team": "b", "cost": "1"}) == {"team": "b", "cost": "1"}
    assert service.catalog.change_tags(ARN, {}, ["team"]) == {"cost": "1"}
    assert service.catalog.change_tags(ARN, {}) == {"cost": "1"}


@pytest.mark.parametrize(
    ("arn", "is_pipeline"),
    [
        (ARN, True),
        (f"{ARN}/execution/abcdefabcdef", True),
        ("arn:aws:sagemaker:us-east-1:123456789012:training-job/x", False),
        ("arn:aws:s3:::bucket", False),
    ],
)
def test_arns_of_pipelines_and_executions_are_recognised(arn, is_pipeline):
    assert (parse_arn(arn) is not None) is is_pipeline
