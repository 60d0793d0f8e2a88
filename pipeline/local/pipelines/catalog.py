"""Pipelines and their versions: create, update, delete, describe, list, tag."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from pipeline.local.errors import AwsError
from pipeline.local.pipelines import views
from pipeline.local.pipelines.naming import parse_arn, pipeline_arn, pipeline_name
from pipeline.local.pipelines.paging import created_within, page
from pipeline.local.pipelines.parsing import parse_definition
from pipeline.local.pipelines.ports import ClientFactory, Clock
from pipeline.local.pipelines.records import PipelineRecord, PipelineVersion
from pipeline.local.pipelines.store import PipelineStore
from pipeline.local.pipelines.validation import validate

MAX_TAGS = 50
MAX_ALIASES = 10


def fingerprint(request: Mapping[str, Any]) -> str:
    """What a request asks for, without its token: two requests with one token must agree in it."""
    asked = {key: value for key, value in request.items() if key != "ClientRequestToken"}
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def replayed(store: PipelineStore, operation: str, request: Mapping[str, Any]) -> str | None:
    """The ARN that an earlier request with the same token gave; None when the token is new.

    Raises:
        AwsError: ConflictException when the earlier request asked for something else.
    """
    token = request.get("ClientRequestToken")
    known = store.token(operation, token) if token else None
    if known is None:
        return None
    asked, arn = known
    if asked != fingerprint(request):
        raise AwsError(
            "ConflictException", f"ClientRequestToken [{token}] was used for a different {operation} request."
        )
    return arn


class PipelineCatalog:
    """The pipelines of one account and region."""

    def __init__(self, store: PipelineStore, account_id: str, region: str, client: ClientFactory, clock: Clock) -> None:
        self._store = store
        self._account_id = account_id
        self._region = region
        self._client = client
        self._clock = clock

    def find(self, name_or_arn: str) -> PipelineRecord:
        """A pipeline by name or ARN.

        Raises:
            AwsError: ResourceNotFound.
        """
        record = self._store.pipeline(pipeline_name(name_or_arn))
        if record is None:
            arn = pipeline_arn(self._region, self._account_id, pipeline_name(name_or_arn))
            raise AwsError("ResourceNotFound", f"Pipeline '{arn}' does not exist.")
        return record

    def version(self, record: PipelineRecord, number: int | None, alias: str | None = None) -> PipelineVersion:
        """A version of a pipeline by its number or an alias; the current one without either.

        Raises:
            AwsError: ResourceNotFound, or ValidationException when both are given.
        """
        if number is not None and alias is not None:
            raise AwsError("ValidationException", "PipelineVersionId and PipelineVersionAlias exclude each other.")
        if alias is not None:
            found = next((item for item in record.versions if alias in item.aliases), None)
            if found is None:
                raise AwsError("ResourceNotFound", f"No version of '{record.arn}' has the alias [{alias}].")
            return found
        if number is None:
            return record.current
        if not 1 <= number <= len(record.versions):
            raise AwsError("ResourceNotFound", f"Pipeline version [{number}] of '{record.arn}' does not exist.")
        return record.versions[number - 1]

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """CreatePipeline."""
        arn = replayed(self._store, "CreatePipeline", request)
        if arn is not None:
            return {"PipelineArn": arn}
        name = request["PipelineName"]
        if self._store.pipeline(name) is not None:
            raise AwsError(
                "ValidationException",
                "Pipeline names must be unique within an AWS account and region. "
                f"Pipeline with name ({name}) already exists.",
            )
        definition = self._definition(request)
        if definition is None:
            raise AwsError(
                "ValidationException", "One of PipelineDefinition and PipelineDefinitionS3Location is needed."
            )
        now = self._clock.now()
        record = PipelineRecord(
            arn=pipeline_arn(self._region, self._account_id, name),
            name=name,
            role_arn=request["RoleArn"],
            versions=(PipelineVersion(1, definition, now),),
            created=now,
            modified=now,
            display_name=request.get("PipelineDisplayName", name),
            description=request.get("PipelineDescription"),
            max_parallel_steps=request.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps"),
            tags={tag["Key"]: tag["Value"] for tag in request.get("Tags", [])},
        )
        token = request.get("ClientRequestToken")
        self._store.put_pipeline(record, ("CreatePipeline", token, fingerprint(request)) if token else None)
        return {"PipelineArn": record.arn}

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """UpdatePipeline. Fields that are not given stay; a new definition is a new version."""
        record = self.find(request["PipelineName"])
        definition = self._definition(request)
        now = self._clock.now()
        versions = record.versions
        if definition is not None and definition != record.current.definition:
            versions = (*versions, PipelineVersion(len(versions) + 1, definition, now))
        parallel = request.get("ParallelismConfiguration")
        changed = replace(
            record,
            versions=versions,
            modified=now,
            role_arn=request.get("RoleArn", record.role_arn),
            display_name=request.get("PipelineDisplayName", record.display_name),
            description=request.get("PipelineDescription", record.description),
            max_parallel_steps=record.max_parallel_steps if parallel is None else parallel["MaxParallelExecutionSteps"],
        )
        self._store.put_pipeline(changed)
        return {"PipelineArn": record.arn, "PipelineVersionId": changed.current.version}

    def update_version(self, request: dict[str, Any]) -> dict[str, Any]:
        """UpdatePipelineVersion: the display name, description and aliases of one version."""
        record = self.find(request["PipelineArn"])
        version = self.version(record, request["PipelineVersionId"])
        changed = replace(
            version,
            display_name=request.get("PipelineVersionDisplayName", version.display_name),
            description=request.get("PipelineVersionDescription", version.description),
            aliases=_changed_aliases(record, version, request.get("PipelineVersionAliasOperations", {})),
        )
        versions = tuple(changed if item is version else item for item in record.versions)
        self._store.put_pipeline(replace(record, versions=versions, modified=self._clock.now()))
        return {"PipelineArn": record.arn, "PipelineVersionId": version.version}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeletePipeline, with all its executions. Refused while one of them runs."""
        record = self.find(request["PipelineName"])
        running = [item.arn for item in self._store.unfinished_executions() if item.pipeline_arn == record.arn]
        if running:
            raise AwsError(
                "ConflictException",
                f"Pipeline '{record.arn}' has {len(running)} running executions, such as {running[0]}. "
                "Stop them with StopPipelineExecution, then delete the pipeline.",
            )
        self._store.delete_pipeline(record)
        return {"PipelineArn": record.arn}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribePipeline."""
        record = self.find(request["PipelineName"])
        version = self.version(record, request.get("PipelineVersionId"), request.get("PipelineVersionAlias"))
        return views.pipeline_description(record, version)

    def list_pipelines(self, request: dict[str, Any]) -> dict[str, Any]:
        """ListPipelines."""
        prefix = request.get("PipelineNamePrefix", "")
        records = [item for item in self._store.pipelines() if item.name.startswith(prefix)]
        records = created_within(records, request, lambda item: item.created)
        by_name = request.get("SortBy") == "Name"
        records.sort(
            key=lambda item: (item.name, item.created) if by_name else (item.created.isoformat(), item.created),
            reverse=request.get("SortOrder", "Descending") == "Descending",
        )
        shown, token = page(records, request)
        return {"PipelineSummaries": [views.pipeline_summary(item) for item in shown], **token}

    def list_versions(self, request: dict[str, Any]) -> dict[str, Any]:
        """ListPipelineVersions."""
        record = self.find(request["PipelineName"])
        versions = created_within(record.versions, request, lambda item: item.created)
        versions.sort(key=lambda item: item.version, reverse=request.get("SortOrder", "Descending") == "Descending")
        last_run: dict[int, str] = {item.pipeline_version: item.arn for item in self._store.executions(record.arn)}
        shown, token = page(versions, request)
        summaries = [
            views.present(
                PipelineArn=record.arn,
                PipelineVersionId=item.version,
                CreationTime=item.created,
                PipelineVersionDescription=item.description,
                PipelineVersionDisplayName=item.display_name,
                PipelineVersionAliases=list(item.aliases) or None,
                LastExecutionPipelineExecutionArn=last_run.get(item.version),
            )
            for item in shown
        ]
        return {"PipelineVersionSummaries": summaries, **token}

    def owns(self, arn: str) -> bool:
        """Whether an ARN is that of a pipeline that exists here (an execution takes no tags)."""
        parsed = parse_arn(arn)
        return parsed is not None and parsed.execution is None and self._store.pipeline(parsed.name) is not None

    def add_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        """AddTags on a pipeline: values of keys that are there already are replaced."""
        record = self.find(request["ResourceArn"])
        tags = {**record.tags, **{tag["Key"]: tag["Value"] for tag in request["Tags"]}}
        if len(tags) > MAX_TAGS:
            raise AwsError("ResourceLimitExceeded", f"A pipeline takes {MAX_TAGS} tags, not {len(tags)}.")
        self._store.put_pipeline(replace(record, tags=tags))
        return {"Tags": _tag_list(tags)}

    def list_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        """ListTags of a pipeline."""
        shown, token = page(_tag_list(self.find(request["ResourceArn"]).tags), request)
        return {"Tags": shown, **token}

    def delete_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeleteTags of a pipeline."""
        record = self.find(request["ResourceArn"])
        gone = set(request["TagKeys"])
        self._store.put_pipeline(
            replace(record, tags={key: value for key, value in record.tags.items() if key not in gone})
        )
        return {}

    def _definition(self, request: Mapping[str, Any]) -> str | None:
        """The definition that a request gives, checked."""
        text = request.get("PipelineDefinition")
        location = request.get("PipelineDefinitionS3Location")
        if text is not None and location is not None:
            raise AwsError(
                "ValidationException", "PipelineDefinition and PipelineDefinitionS3Location exclude each other."
            )
        if location is not None:
            text = self._download(location)
        if text is not None:
            validate(parse_definition(text))
        return text

    def _download(self, location: Mapping[str, str]) -> str:
        version = {"VersionId": location["VersionId"]} if "VersionId" in location else {}
        uri = f"s3://{location['Bucket']}/{location['ObjectKey']}"
        try:
            response = self._client("s3").get_object(Bucket=location["Bucket"], Key=location["ObjectKey"], **version)
            return str(response["Body"].read().decode("utf-8"))
        except ClientError as exc:
            raise AwsError("ValidationException", f"Cannot read the pipeline definition at {uri}: {exc}") from exc
        except UnicodeDecodeError as exc:
            raise AwsError("ValidationException", f"The pipeline definition at {uri} is not UTF-8.") from exc


def _changed_aliases(
    record: PipelineRecord, version: PipelineVersion, operations: Mapping[str, list[str]]
) -> tuple[str, ...]:
    added, removed = operations.get("Add", []), operations.get("Remove", [])
    for alias in added:
        owner = next((item for item in record.versions if alias in item.aliases and item is not version), None)
        if owner is not None:
            raise AwsError(
                "ConflictException",
                f"Alias [{alias}] belongs to version {owner.version} of '{record.arn}'. Remove it there first.",
            )
    aliases = tuple(dict.fromkeys([*(item for item in version.aliases if item not in removed), *added]))
    if len(aliases) > MAX_ALIASES:
        raise AwsError("ValidationException", f"A version takes {MAX_ALIASES} aliases, not {len(aliases)}.")
    return aliases


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
