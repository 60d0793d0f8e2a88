"""Every operation that the endpoint answers itself is asked once, and its answer is compared with botocore's model.

The endpoint checks its answers too, in every other test: see :mod:`localmaker.http.response_checks`.
"""

from __future__ import annotations

import io
import json
import tarfile
import zipfile

import pytest
from botocore.exceptions import ClientError

from localmaker.endpoint import import_operations
from localmaker.http.operations import registered_operations
from localmaker.images.table import DEFAULT_IMAGE

pytestmark = pytest.mark.slow

ROLE = "arn:aws:iam::123456789012:role/r"
ENDED = {"Completed", "Failed", "Stopped", "Succeeded"}
RECORD = [{"FeatureName": "id", "ValueAsString": "a"}, {"FeatureName": "at", "ValueAsString": "1767268800"}]
INFERENCE = """
def model_fn(folder): return None
def predict_fn(data, model): return data
def input_fn(body, kind): return body
def output_fn(result, kind): return result
"""


class Caller:
    """Calls operations by their names and remembers which."""

    def __init__(self, endpoint):
        self._endpoint = endpoint
        self.called = set()

    def __call__(self, service, operation, **request):
        client = self._endpoint.client(service)
        method = next(name for name, value in client.meta.method_to_api_mapping.items() if value == operation)
        self.called.add((service, operation))
        return getattr(client, method)(**request)

    def sagemaker(self, operation, **request):
        return self("sagemaker", operation, **request)

    def refused(self, operation, **request):
        """An operation whose error is looked at."""
        with pytest.raises(ClientError) as refusal:
            self.sagemaker(operation, **request)
        return refusal.value.response["Error"]["Code"]


@pytest.fixture
def call(endpoint):
    return Caller(endpoint)


def archive(files):
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return body.getvalue()


def ask_tags(call, arn):
    call.sagemaker("AddTags", ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}])
    assert call.sagemaker("ListTags", ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
    call.sagemaker("DeleteTags", ResourceArn=arn, TagKeys=["a"])


def job_requests(name, bucket):
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large"}
    entry_point = ["python", "-c", "import time; time.sleep(60)"]
    return {
        "Processing": {
            "AppSpecification": {"ImageUri": DEFAULT_IMAGE, "ContainerEntrypoint": entry_point},
            "ProcessingResources": {"ClusterConfig": {**cluster, "VolumeSizeInGB": 1}},
            "RoleArn": ROLE,
        },
        "Training": {
            "AlgorithmSpecification": {
                "TrainingImage": DEFAULT_IMAGE,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": entry_point,
            },
            "ResourceConfig": {**cluster, "VolumeSizeInGB": 1},
            "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/models"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            "RoleArn": ROLE,
        },
        "Transform": {
            "ModelName": name,
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in/"}}
            },
            "TransformOutput": {"S3OutputPath": f"s3://{bucket}/out"},
            "TransformResources": cluster,
        },
    }


def ask_jobs(call, name, bucket, eventually):
    call.sagemaker(
        "CreateModel",
        ModelName=name,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": DEFAULT_IMAGE, "ModelDataUrl": f"s3://{bucket}/model.tar.gz"},
    )
    call.sagemaker("DescribeModel", ModelName=name)
    for kind, request in job_requests(name, bucket).items():
        named = {f"{kind}JobName": name}
        arn = call.sagemaker(f"Create{kind}Job", **named, **request)[f"{kind}JobArn"]
        ask_tags(call, arn)
        assert call.sagemaker(f"List{kind}Jobs", NameContains=name)[f"{kind}JobSummaries"]
        if kind == "Training":
            call.sagemaker("UpdateTrainingJob", **named, RemoteDebugConfig={"EnableRemoteDebug": False})
        call.sagemaker(f"Stop{kind}Job", **named)
        eventually(
            lambda kind=kind, named=named: call.sagemaker(f"Describe{kind}Job", **named)[f"{kind}JobStatus"] in ENDED
        )
        if kind != "Transform":  # AWS deletes no transform job
            call.sagemaker(f"Delete{kind}Job", **named)
            assert call.refused(f"Describe{kind}Job", **named) == "ValidationException"


def ask_tuning(call, name, eventually):
    named = {"HyperParameterTuningJobName": name}
    arn = call.sagemaker(
        "CreateHyperParameterTuningJob",
        **named,
        HyperParameterTuningJobConfig={
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "error"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 1},
            "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1"}]},
        },
        TrainingJobDefinition={
            "AlgorithmSpecification": {
                "TrainingImage": "no-such-image",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "error", "Regex": "error=(.*)"}],
            },
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        },
    )["HyperParameterTuningJobArn"]
    ask_tags(call, arn)
    eventually(
        lambda: call.sagemaker("DescribeHyperParameterTuningJob", **named)["HyperParameterTuningJobStatus"] in ENDED
    )
    assert call.sagemaker("ListTrainingJobsForHyperParameterTuningJob", **named)["TrainingJobSummaries"]
    assert call.sagemaker("ListHyperParameterTuningJobs", NameContains=name)["HyperParameterTuningJobSummaries"]
    assert call.refused("StopHyperParameterTuningJob", **named) == "ValidationException"
    call.sagemaker("DeleteHyperParameterTuningJob", **named)
    assert call.refused("DescribeHyperParameterTuningJob", **named) == "ResourceNotFound"


def ask_lineage(call, name):
    arns = {}
    for kind in ("Artifact", "Action", "Context"):
        names = {} if kind == "Artifact" else {f"{kind}Name": name}
        source = {"SourceUri": f"{kind}/{name}"}
        arn = arns[kind] = call.sagemaker(f"Create{kind}", **names, **{f"{kind}Type": "T"}, Source=source)[f"{kind}Arn"]
        ask_tags(call, arn)
        named = names or {"ArtifactArn": arn}
        call.sagemaker(f"Update{kind}", **named, Properties={"a": "1"})
        assert call.sagemaker(f"Describe{kind}", **named)["Properties"] == {"a": "1"}
        assert call.sagemaker(f"List{kind}s", SourceUri=source["SourceUri"])[f"{kind}Summaries"]
    ends = {"SourceArn": arns["Action"], "DestinationArn": arns["Artifact"]}
    call.sagemaker("AddAssociation", **ends, AssociationType="Produced")
    assert call.sagemaker("ListAssociations", **ends)["AssociationSummaries"]
    assert call.sagemaker("QueryLineage", StartArns=[arns["Action"]])["Edges"]
    call.sagemaker("DeleteAssociation", **ends)
    call.sagemaker("DeleteArtifact", ArtifactArn=arns["Artifact"])
    call.sagemaker("DeleteAction", ActionName=name)
    call.sagemaker("DeleteContext", ContextName=name)
    components = call.sagemaker("ListTrialComponents", MaxResults=5)["TrialComponentSummaries"]
    call.sagemaker("DescribeTrialComponent", TrialComponentName=components[0]["TrialComponentName"])


def ask_pipelines(call, name, queue, eventually):
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Word", "Type": "String", "DefaultValue": "go"}],
        "Steps": [
            {
                "Name": "Wait",
                "Type": "Callback",
                "SqsQueueUrl": queue,
                "Arguments": {"word": {"Get": "Parameters.Word"}},
                "OutputParameters": [{"OutputName": "answer", "OutputType": "String"}],
            }
        ],
    }
    text = json.dumps(definition)
    arn = call.sagemaker(
        "CreatePipeline",
        PipelineName=name,
        PipelineDefinition=text,
        RoleArn=ROLE,
        ClientRequestToken=name.ljust(32, "x"),
    )["PipelineArn"]
    ask_tags(call, arn)
    call.sagemaker("UpdatePipeline", PipelineName=name, PipelineDescription="described")
    call.sagemaker("UpdatePipelineVersion", PipelineArn=arn, PipelineVersionId=1, PipelineVersionDisplayName="first")
    call.sagemaker("DescribePipeline", PipelineName=name)
    assert call.sagemaker("ListPipelines", PipelineNamePrefix=name)["PipelineSummaries"]
    assert call.sagemaker("ListPipelineVersions", PipelineName=name)["PipelineVersionSummaries"]

    def started():
        return call.sagemaker("StartPipelineExecution", PipelineName=name)["PipelineExecutionArn"]

    def token():
        (message,) = eventually(lambda: call("sqs", "ReceiveMessage", QueueUrl=queue).get("Messages"))
        call("sqs", "DeleteMessage", QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return json.loads(message["Body"])["token"]

    def ended(execution, status):
        def state():
            found = call.sagemaker("DescribePipelineExecution", PipelineExecutionArn=execution)
            return found["PipelineExecutionStatus"]

        eventually(lambda: state() in ENDED)
        assert state() == status

    first = started()
    call.sagemaker("SendPipelineExecutionStepFailure", CallbackToken=token(), FailureReason="no")
    ended(first, "Failed")
    call.sagemaker("RetryPipelineExecution", PipelineExecutionArn=first, ClientRequestToken="r" * 32)
    call.sagemaker(
        "SendPipelineExecutionStepSuccess",
        CallbackToken=token(),
        OutputParameters=[{"Name": "answer", "Value": "yes"}],
    )
    ended(first, "Succeeded")
    second = started()
    waiting = token()
    call.sagemaker("StopPipelineExecution", PipelineExecutionArn=second, ClientRequestToken="s" * 32)
    # As in AWS an execution does not stop before its callback step is answered.
    call.sagemaker("SendPipelineExecutionStepFailure", CallbackToken=waiting)
    ended(second, "Stopped")
    execution = {"PipelineExecutionArn": first}
    call.sagemaker("UpdatePipelineExecution", **execution, PipelineExecutionDescription="described")
    assert call.sagemaker("DescribePipelineDefinitionForExecution", **execution)["PipelineDefinition"] == text
    assert call.sagemaker("ListPipelineExecutionSteps", **execution)["PipelineExecutionSteps"]
    assert call.sagemaker("ListPipelineParametersForExecution", **execution)["PipelineParameters"]
    assert len(call.sagemaker("ListPipelineExecutions", PipelineName=name)["PipelineExecutionSummaries"]) == 2
    call.sagemaker("DeletePipeline", PipelineName=name, ClientRequestToken="d" * 32)
    assert call.refused("DescribePipeline", PipelineName=name) == "ResourceNotFound"


def ask_registry(call, name):
    group = call.sagemaker("CreateModelPackageGroup", ModelPackageGroupName=name)["ModelPackageGroupArn"]
    ask_tags(call, group)
    call.sagemaker("DescribeModelPackageGroup", ModelPackageGroupName=name)
    assert call.sagemaker("ListModelPackageGroups", NameContains=name)["ModelPackageGroupSummaryList"]
    package = call.sagemaker(
        "CreateModelPackage",
        ModelPackageGroupName=name,
        InferenceSpecification={
            "Containers": [{"Image": DEFAULT_IMAGE, "ModelDataUrl": "s3://bucket/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    ask_tags(call, package)
    call.sagemaker("UpdateModelPackage", ModelPackageArn=package, ModelApprovalStatus="Approved")
    call.sagemaker("DescribeModelPackage", ModelPackageName=package)
    call.sagemaker("BatchDescribeModelPackage", ModelPackageArnList=[package, f"{package}7"])
    assert call.sagemaker("ListModelPackages", ModelPackageGroupName=name)["ModelPackageSummaryList"]
    assert call.refused("DeleteModelPackageGroup", ModelPackageGroupName=name) == "ConflictException"
    call.sagemaker("DeleteModelPackage", ModelPackageName=package)
    call.sagemaker("DeleteModelPackageGroup", ModelPackageGroupName=name)


def ask_cards_and_repositories(call, name, bucket, eventually):
    card = call.sagemaker("CreateModelCard", ModelCardName=name, Content="{}", ModelCardStatus="Draft")
    ask_tags(call, card["ModelCardArn"])
    call.sagemaker("UpdateModelCard", ModelCardName=name, ModelCardStatus="Approved")
    call.sagemaker("DescribeModelCard", ModelCardName=name)
    assert call.sagemaker("ListModelCards", NameContains=name)["ModelCardSummaries"]
    assert call.sagemaker("ListModelCardVersions", ModelCardName=name)["ModelCardVersionSummaryList"]
    job = call.sagemaker(
        "CreateModelCardExportJob",
        ModelCardName=name,
        ModelCardExportJobName=name,
        OutputConfig={"S3OutputPath": f"s3://{bucket}/cards"},
    )["ModelCardExportJobArn"]
    eventually(lambda: call.sagemaker("DescribeModelCardExportJob", ModelCardExportJobArn=job)["Status"] in ENDED)
    assert call.sagemaker("ListModelCardExportJobs", ModelCardName=name)["ModelCardExportJobSummaries"]
    call.sagemaker("DeleteModelCard", ModelCardName=name)
    git = {"RepositoryUrl": "https://github.com/example/x.git"}
    ask_tags(call, call.sagemaker("CreateCodeRepository", CodeRepositoryName=name, GitConfig=git)["CodeRepositoryArn"])
    call.sagemaker("UpdateCodeRepository", CodeRepositoryName=name)
    call.sagemaker("DescribeCodeRepository", CodeRepositoryName=name)
    assert call.sagemaker("ListCodeRepositories", NameContains=name)["CodeRepositorySummaryList"]
    call.sagemaker("DeleteCodeRepository", CodeRepositoryName=name)
    ask_notebooks(call, name, eventually)


def ask_notebooks(call, name, eventually):
    config = {"NotebookInstanceLifecycleConfigName": name}
    made = call.sagemaker("CreateNotebookInstanceLifecycleConfig", **config, OnStart=[{"Content": "dHJ1ZQ=="}])
    ask_tags(call, made["NotebookInstanceLifecycleConfigArn"])
    call.sagemaker("UpdateNotebookInstanceLifecycleConfig", **config, OnCreate=[])
    call.sagemaker("DescribeNotebookInstanceLifecycleConfig", **config)
    assert call.sagemaker("ListNotebookInstanceLifecycleConfigs", NameContains=name)["NotebookInstanceLifecycleConfigs"]
    one = {"NotebookInstanceName": name}
    made = call.sagemaker("CreateNotebookInstance", **one, InstanceType="ml.t3.medium", RoleArn=ROLE)
    ask_tags(call, made["NotebookInstanceArn"])

    def comes_to(*states):
        eventually(lambda: call.sagemaker("DescribeNotebookInstance", **one)["NotebookInstanceStatus"] in states)

    comes_to("InService", "Failed")
    with pytest.raises(ClientError, match="no Jupyter server"):
        call.sagemaker("CreatePresignedNotebookInstanceUrl", **one)
    call.sagemaker("StopNotebookInstance", **one)
    comes_to("Stopped")
    call.sagemaker("UpdateNotebookInstance", **one, LifecycleConfigName=name)
    comes_to("Stopped")
    call.sagemaker("StartNotebookInstance", **one)
    comes_to("InService")
    call.sagemaker("StopNotebookInstance", **one)
    comes_to("Stopped")
    call.sagemaker("DeleteNotebookInstance", **one)
    eventually(lambda: not call.sagemaker("ListNotebookInstances", NameContains=name)["NotebookInstances"])
    call.sagemaker("DeleteNotebookInstanceLifecycleConfig", **config)


def ask_features(call, name, eventually):
    arn = call.sagemaker(
        "CreateFeatureGroup",
        FeatureGroupName=name,
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="at",
        FeatureDefinitions=[
            {"FeatureName": "id", "FeatureType": "String"},
            {"FeatureName": "at", "FeatureType": "Fractional"},
        ],
        OnlineStoreConfig={"EnableOnlineStore": True, "StorageType": "InMemory"},
    )["FeatureGroupArn"]
    ask_tags(call, arn)
    described = {"FeatureGroupName": name}
    eventually(lambda: call.sagemaker("DescribeFeatureGroup", **described)["FeatureGroupStatus"] == "Created")
    assert call.sagemaker("ListFeatureGroups", NameContains=name)["FeatureGroupSummaries"]
    store, identified = "sagemaker-featurestore-runtime", {"RecordIdentifierValueAsString": "a"}
    call(store, "PutRecord", **described, Record=RECORD)
    call(store, "BatchWriteRecord", Entries=[{**described, "Record": RECORD}])
    call(
        store,
        "UpdateRecord",
        **described,
        **identified,
        Features=[{"FeatureName": "at", "ValueAsString": "1767268801"}],
    )
    assert call(store, "GetRecord", **described, **identified)["Record"]
    assert call(store, "BatchGetRecord", Identifiers=[{**described, "RecordIdentifiersValueAsString": ["a", "b"]}])[
        "Records"
    ]
    assert call(store, "ListRecords", **described)["RecordIdentifiers"] == ["a"]
    call(store, "DeleteRecord", **described, **identified, EventTime="1767268802")
    feature = {**described, "FeatureName": "id"}
    call.sagemaker("UpdateFeatureMetadata", **feature, ParameterAdditions=[{"Key": "a", "Value": "b"}])
    assert call.sagemaker("DescribeFeatureMetadata", **feature)["Parameters"]
    call.sagemaker("UpdateFeatureGroup", **described, ThroughputConfig={"ThroughputMode": "OnDemand"})
    call.sagemaker("DeleteFeatureGroup", **described)


def ask_search(call, name):
    name = f"{name}-search"
    call.sagemaker(
        "CreateTrainingJob",
        TrainingJobName=name,
        RoleArn=ROLE,
        AlgorithmSpecification={"TrainingImage": "no-such-image", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": "s3://bucket/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        Tags=[{"Key": "a", "Value": "b"}],
    )
    call.sagemaker("CreateModelPackageGroup", ModelPackageGroupName=name)
    call.sagemaker("CreateModelPackage", ModelPackageGroupName=name)
    steps = [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}]
    definition = json.dumps({"Version": "2020-12-01", "Steps": steps})
    call.sagemaker("CreatePipeline", PipelineName=name, PipelineDefinition=definition, RoleArn=ROLE)
    call.sagemaker("StartPipelineExecution", PipelineName=name)
    for resource in ("TrainingJob", "Pipeline", "PipelineExecution", "ModelPackage", "ModelPackageGroup"):
        assert call.sagemaker("Search", Resource=resource)["Results"], resource
    for resource in ("FeatureGroup", "ModelCard", "Experiment"):
        call.sagemaker("Search", Resource=resource)


def ask_endpoints(call, name):
    name = f"{name}-endpoint"
    call.sagemaker(
        "CreateModel",
        ModelName=name,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": DEFAULT_IMAGE, "Mode": "SingleModel"},
    )
    assert call.sagemaker("ListModels", NameContains=name)["Models"]
    variant = {"VariantName": "v", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    call.sagemaker("CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[variant])
    call.sagemaker("DescribeEndpointConfig", EndpointConfigName=name)
    call.sagemaker("CreateEndpoint", EndpointName=name, EndpointConfigName=name)
    call.sagemaker("DescribeEndpoint", EndpointName=name)
    with pytest.raises(ClientError, match="ModelError"):
        call("sagemaker-runtime", "InvokeEndpoint", EndpointName=name, Body=b"1")
    call.sagemaker("DeleteModel", ModelName=name)


def ask_functions(call, name):
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = call("iam", "CreateRole", RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as file:
        file.writestr("f.py", "def handler(event, context):\n    return event\n")
    code = {"ZipFile": body.getvalue()}
    runtime = {"Runtime": "python3.12", "Handler": "f.handler"}
    call("lambda", "CreateFunction", FunctionName=name, Role=role, Code=code, **runtime)
    assert json.load(call("lambda", "Invoke", FunctionName=name, Payload=b"[1]")["Payload"]) == [1]
    call("lambda", "UpdateFunctionCode", FunctionName=name, **code)
    call("lambda", "UpdateFunctionConfiguration", FunctionName=name, MemorySize=256)
    assert call("lambda", "GetFunction", FunctionName=name)["Configuration"]["MemorySize"] == 256
    assert call("lambda", "GetFunctionConfiguration", FunctionName=name)["LoggingConfig"]["LogFormat"] == "Text"
    events = {"Principal": "events.amazonaws.com", "Action": "lambda:InvokeFunction"}
    call("lambda", "AddPermission", FunctionName=name, StatementId="events", **events)
    call("lambda", "PutFunctionEventInvokeConfig", FunctionName=name, MaximumRetryAttempts=1)
    changed = call("lambda", "UpdateFunctionEventInvokeConfig", FunctionName=name, MaximumEventAgeInSeconds=60)
    assert (changed["MaximumRetryAttempts"], changed["MaximumEventAgeInSeconds"]) == (1, 60)
    call("lambda", "DeleteFunction", FunctionName=name)


def ask_quotas(call):
    of_lambda = {"ServiceCode": "lambda", "QuotaCode": "L-B99A9384"}
    assert call("service-quotas", "GetServiceQuota", **of_lambda)["Quota"]["Value"] == 1000
    call("service-quotas", "RequestServiceQuotaIncrease", **of_lambda, DesiredValue=2000)
    assert call("service-quotas", "ListServiceQuotas", ServiceCode="lambda")["Quotas"][0]["Value"] == 2000
    assert call("service-quotas", "ListAWSDefaultServiceQuotas", ServiceCode="lambda")["Quotas"][0]["Value"] == 1000


def ask_athena(call, name, eventually):
    results = {"ResultConfiguration": {"OutputLocation": f"s3://{name}/athena/"}}
    assert call("athena", "GetWorkGroup", WorkGroup="primary")["WorkGroup"]["State"] == "ENABLED"
    query = call("athena", "StartQueryExecution", QueryString="SELECT 1 AS a", **results)["QueryExecutionId"]

    def state():
        return call("athena", "GetQueryExecution", QueryExecutionId=query)["QueryExecution"]["Status"]["State"]

    eventually(lambda: state() == "SUCCEEDED")
    call("athena", "StopQueryExecution", QueryExecutionId=query)
    rows = call("athena", "GetQueryResults", QueryExecutionId=query)["ResultSet"]["Rows"]
    assert [row["Data"] for row in rows] == [[{"VarCharValue": "a"}], [{"VarCharValue": "1"}]]
    assert query in call("athena", "ListQueryExecutions")["QueryExecutionIds"]
    assert len(call("athena", "BatchGetQueryExecution", QueryExecutionIds=[query])["QueryExecutions"]) == 1
    assert call("athena", "GetQueryRuntimeStatistics", QueryExecutionId=query)["QueryRuntimeStatistics"]["Timeline"]


def ask_events(call, name, queue_arn):
    pattern = json.dumps({"source": [name]})
    call("events", "PutRule", Name=name, EventPattern=pattern, State="DISABLED")
    call("events", "EnableRule", Name=name)
    call("events", "PutTargets", Rule=name, Targets=[{"Id": "1", "Arn": queue_arn}])
    call("events", "PutEvents", Entries=[{"Source": name, "DetailType": "Go", "Detail": "{}"}])
    event = {
        "id": "1",
        "account": "123456789012",
        "source": name,
        "detail-type": "Go",
        "resources": [],
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "detail": {},
    }
    assert call("events", "TestEventPattern", EventPattern=pattern, Event=json.dumps(event))["Result"]
    schedule = {
        "Name": name,
        "ScheduleExpression": "rate(1 hour)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": queue_arn, "RoleArn": ROLE},
    }
    call("scheduler", "CreateScheduleGroup", Name=name)
    call("scheduler", "DeleteScheduleGroup", Name=name)
    call("scheduler", "CreateSchedule", **schedule)
    call("scheduler", "UpdateSchedule", **schedule)
    call("scheduler", "DeleteSchedule", Name=name)


def test_every_operation_answers_what_the_service_model_has(call, endpoint, unique, eventually):
    s3, sqs = endpoint.client("s3"), endpoint.client("sqs")
    s3.create_bucket(Bucket=unique)
    s3.put_object(Bucket=unique, Key="in/x.csv", Body=b"1\n")
    s3.put_object(Bucket=unique, Key="model.tar.gz", Body=archive({"code/inference.py": INFERENCE}))
    queue = sqs.create_queue(QueueName=unique)["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    ask_jobs(call, unique, unique, eventually)
    ask_tuning(call, f"{unique}-tuning", eventually)
    ask_pipelines(call, unique, queue, eventually)
    ask_registry(call, unique)
    ask_lineage(call, unique)
    ask_cards_and_repositories(call, unique, unique, eventually)
    ask_features(call, unique, eventually)
    ask_search(call, unique)
    ask_endpoints(call, unique)
    ask_functions(call, unique)
    ask_events(call, unique, queue_arn)
    ask_quotas(call)
    for operation in ("DescribeImage", "DescribeImageVersion"):
        assert call.refused(operation, ImageName=unique) == "ResourceNotFound"
    ask_athena(call, unique, eventually)
    import_operations()
    assert set(registered_operations()) - call.called == set()
