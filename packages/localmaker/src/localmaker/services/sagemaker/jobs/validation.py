"""Checks of a Create request, each with a message in the style of AWS."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from botocore.validate import ParamValidator

from localmaker.errors import AwsError
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.jobs.requests import cluster_of, instances_of
from localmaker.services.sagemaker.jobs.shapes import service_model
from localmaker.services.sagemaker.jobs.training.outputs import is_available, local_paths
from localmaker.services.sagemaker.jobs.transform import framed_records, record_data
from localmaker.services.sagemaker.jobs.transform.jsonpath import JsonPathError

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_CHANNEL = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PAYLOAD_LIMIT_MB = 100
_MAX_RUNTIME_SECONDS = 28 * 86_400
# Each instance is a process tree on this machine with a loopback address of its own.
_MAX_INSTANCES = 100


def refusal(message: str) -> AwsError:
    """Return the error for a request that cannot be accepted."""
    return AwsError("ValidationException", message)


def check_request(kind: JobKind, request: Mapping[str, Any]) -> None:
    """Check a Create request.

    Raises:
        AwsError: ValidationException naming the field.
    """
    shape = service_model().operation_model(f"Create{kind}Job").input_shape
    if shape is not None:
        report = ParamValidator().validate(dict(request), shape)
        if report.has_errors():
            raise refusal(report.generate_report())
    name = request[kind.name_field]
    if not _NAME.fullmatch(name):
        field = kind.name_field[0].lower() + kind.name_field[1:]
        raise refusal(
            f"1 validation error detected: Value '{name}' at '{field}' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {_NAME.pattern}"
        )
    _check_unique("tag key", (tag["Key"] for tag in request.get("Tags", [])))
    _CHECKS[kind](request)


def _check_processing(request: Mapping[str, Any]) -> None:
    _check_instances(JobKind.PROCESSING, request)
    inputs = request.get("ProcessingInputs", [])
    outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    _check_unique("input name", (entry["InputName"] for entry in inputs))
    _check_unique("output name", (entry["OutputName"] for entry in outputs))
    for entry in inputs:
        _check_input(entry)
    paths = (entry["S3Input"]["LocalPath"] for entry in inputs if not entry.get("AppManaged", False))
    _check_unique("LocalPath of an input", (str(PurePosixPath(path)) for path in paths))
    for entry in outputs:
        _check_output(entry)


def _check_input(entry: Mapping[str, Any]) -> None:
    where = f"ProcessingInputs[{entry['InputName']}]"
    source = entry.get("S3Input")
    if source is None:
        if entry.get("AppManaged", False):
            return
        raise refusal(f"{where}: DatasetDefinition is not available on this endpoint; use S3Input.")
    if "LocalPath" in source:
        _check_local_path(source["LocalPath"], where)
    elif not entry.get("AppManaged", False):
        raise refusal(
            f"Input {entry['InputName']} missing one or more required fields for SageMaker-managed S3Input: "
            '"LocalPath", "S3InputMode"'
        )
    _check_s3_data(source.get("S3DataType", "S3Prefix"), where)


def _check_output(entry: Mapping[str, Any]) -> None:
    where = f"ProcessingOutputConfig.Outputs[{entry['OutputName']}]"
    managed_here = not entry.get("AppManaged", False)
    target = entry.get("S3Output")
    if target is None and managed_here:
        raise refusal(
            f"{where}: without AppManaged an output needs S3Output; records of FeatureStoreOutput are written "
            "by the application."
        )
    if target is not None and (managed_here or "LocalPath" in target):
        _check_local_path(target.get("LocalPath", ""), where)


def _check_training(request: Mapping[str, Any]) -> None:
    resources = request.get("ResourceConfig", {})
    _check_instances(JobKind.TRAINING, request)
    if "InstanceGroups" in resources:
        raise refusal("ResourceConfig.InstanceGroups is not available on this endpoint; use InstanceCount.")
    _check_capacity(request, resources)
    algorithm = request.get("AlgorithmSpecification", {})
    if "TrainingImage" not in algorithm:
        raise refusal("AlgorithmSpecification.TrainingImage is required on this endpoint (no marketplace algorithms).")
    if "OutputDataConfig" not in request:
        raise refusal("OutputDataConfig is required.")
    for path in local_paths(request):
        if not is_available(path):
            raise refusal(f"LocalPath {path!r} is not available on this endpoint; use a folder below /opt/ml.")
    for definition in algorithm.get("MetricDefinitions", []):
        try:
            groups = re.compile(definition["Regex"]).groups
        except re.error as error:
            raise refusal(f"MetricDefinitions[{definition['Name']}].Regex: {error}") from error
        if groups < 1:
            raise refusal(f"MetricDefinitions[{definition['Name']}].Regex has no group to capture the value.")
    channels = request.get("InputDataConfig", [])
    _check_unique("channel name", (channel["ChannelName"] for channel in channels))
    for channel in channels:
        _check_channel(channel, algorithm)


def _check_capacity(request: Mapping[str, Any], resources: Mapping[str, Any]) -> None:
    """Check time limits, spot capacity and warm pools."""
    condition = request.get("StoppingCondition", {})
    runtime, spot = condition.get("MaxRuntimeInSeconds", 0), request.get("EnableManagedSpotTraining", False)
    if runtime > _MAX_RUNTIME_SECONDS:
        raise refusal(f"StoppingCondition.MaxRuntimeInSeconds {runtime} is more than 28 days.")
    if spot and condition.get("MaxWaitTimeInSeconds", 0) < max(runtime, 1):
        raise refusal(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )
    if spot and resources.get("KeepAlivePeriodInSeconds", 0):
        raise refusal("KeepAlivePeriodInSeconds cannot be used with EnableManagedSpotTraining.")
    image = request.get("AlgorithmSpecification", {}).get("TrainingImageConfig", {})
    if image.get("TrainingRepositoryAccessMode") == "Vpc" and "VpcConfig" not in request:
        raise refusal("TrainingRepositoryAccessMode Vpc needs a VpcConfig.")


def _check_channel(channel: Mapping[str, Any], algorithm: Mapping[str, Any]) -> None:
    where = f"InputDataConfig[{channel['ChannelName']}]"
    if not _CHANNEL.fullmatch(channel["ChannelName"]) or channel["ChannelName"] in (".", ".."):
        raise refusal(f"{where}: a channel name may contain only letters, digits, '.', '_' and '-'.")
    source = channel["DataSource"].get("S3DataSource")
    if source is None:
        raise refusal(f"{where}: only S3DataSource is available on this endpoint.")
    mode = channel.get("InputMode", algorithm.get("TrainingInputMode", "File"))
    pipe = mode == "Pipe"
    if mode == "FastFile" and source["S3DataType"] != "S3Prefix":
        raise refusal(f"{where}: InputMode FastFile needs S3DataType S3Prefix.")
    if source["S3DataType"] == "AugmentedManifestFile":
        if not pipe or not source.get("AttributeNames"):
            raise refusal(f"{where}: an AugmentedManifestFile needs InputMode Pipe and AttributeNames.")
    else:
        _check_s3_data(source["S3DataType"], where)
    if channel.get("RecordWrapperType", "None") == "RecordIO" and not pipe:
        raise refusal(f"{where}: RecordWrapperType RecordIO needs InputMode Pipe.")


def _check_transform(request: Mapping[str, Any]) -> None:
    _check_instances(JobKind.TRANSFORM, request)
    source = request["TransformInput"]
    _check_s3_data(source["DataSource"]["S3DataSource"]["S3DataType"], "TransformInput")
    if source.get("CompressionType", "None") not in ("None", "Gzip"):
        raise refusal("TransformInput.CompressionType must be None or Gzip.")
    payload, concurrent = request.get("MaxPayloadInMB", 6), request.get("MaxConcurrentTransforms", 0)
    if payload * max(concurrent, 1) > _PAYLOAD_LIMIT_MB:
        raise refusal("MaxConcurrentTransforms * MaxPayloadInMB must not exceed 100 MB.")
    _check_data_processing(request)


def _check_data_processing(request: Mapping[str, Any]) -> None:
    try:
        data = record_data.DataProcessing.of(request)
    except JsonPathError as error:
        raise refusal(f"DataProcessing: {error}.") from error
    if data.is_neutral:
        return
    source, target = request["TransformInput"], request["TransformOutput"]
    formats = {"TransformInput.ContentType": source.get("ContentType"), "TransformOutput.Accept": target.get("Accept")}
    for name, value in formats.items():
        if (value or "").split(";")[0] not in record_data.FORMATS:
            raise refusal(f"DataProcessing needs {name} to be one of {', '.join(record_data.FORMATS)}; it is {value}.")
    if source.get("SplitType", "None") in framed_records.SPLIT_TYPES:
        raise refusal(f"DataProcessing needs records of CSV or JSON, not SplitType {source['SplitType']}.")
    csv = record_data.CSV
    if data.joined and (data.input_format == csv) != (data.output_format == csv):
        raise refusal("JoinSource Input needs ContentType and Accept of one format: both text/csv, or both JSON.")
    if csv in (data.input_format, data.output_format) and (
        source.get("SplitType", "None") != "Line" or target.get("AssembleWith", "None") != "Line"
    ):
        raise refusal("DataProcessing of text/csv needs SplitType Line and AssembleWith Line.")


_CHECKS: Mapping[JobKind, Callable[[Mapping[str, Any]], None]] = {
    JobKind.PROCESSING: _check_processing,
    JobKind.TRAINING: _check_training,
    JobKind.TRANSFORM: _check_transform,
}


def _check_instances(kind: JobKind, request: Mapping[str, Any]) -> None:
    cluster = cluster_of(kind, request)
    preferences = cluster.get("InstancePreferences", [])
    if preferences and "InstanceType" in cluster:
        raise refusal("InstancePreferences and InstanceType are mutually exclusive.")
    _check_unique("InstanceType of InstancePreferences", (entry["InstanceType"] for entry in preferences))
    counted = {"InstanceCount" in entry for entry in preferences}
    if preferences and counted != {"InstanceCount" not in cluster}:
        raise refusal("InstanceCount must be given either once for the job or with each of InstancePreferences.")
    count = instances_of(kind, request).count
    if not 1 <= count <= _MAX_INSTANCES:
        raise refusal(f"InstanceCount {count}: this endpoint runs a job on 1 to {_MAX_INSTANCES} instances.")


def _check_unique(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise refusal(f"Duplicate {what}: {name}. It must be unique.")
        seen.add(name)


def _check_local_path(path: str, where: str) -> None:
    parts = PurePosixPath(path).parts
    if parts[:4] != ("/", "opt", "ml", "processing") or ".." in parts or "\0" in path:
        raise refusal(f"{where}: LocalPath {path!r} must be an absolute path under /opt/ml/processing/.")


def _check_s3_data(kind: str, where: str) -> None:
    if kind not in ("S3Prefix", "ManifestFile"):
        raise refusal(f"{where}: S3DataType {kind} cannot be used here; use S3Prefix or ManifestFile.")
