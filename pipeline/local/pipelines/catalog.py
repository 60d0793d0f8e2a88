"""Pipelines and their versions: create, update, delete, describe, list, tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from pipeline.local.errors import AwsError
from pipeline.local.pipelines import views
from pipeline.local.pipelines.definitions.parsing import parse_definition
from pipeline.local.pipelines.definitions.refusals import refuse
from pipeline.local.pipelines.definitions.validation import validate
from pipeline.local.pipelines.naming import parse_arn, pipeline_arn, pipeline_name
from pipeline.local.pipelines.paging import created_within, page
from pipeline.local.pipelines.ports import ClientFactory, Clock
from pipeline.local.pipelines.records import PipelineRecord, PipelineVersion
from pipeline.local.pipelines.store import PipelineStore
from pipeline.local.pipelines.tokens import replayed, to_remember
from pipeline.local.pipelines.versions import changed_aliases, find_version, new_aliases, next_versions

MAX_TAGS = 50


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
        if record is None or record.arn != self._arn(name_or_arn):
            raise self.missing(name_or_arn)
        return record

    def _arn(self, name_or_arn: str) -> str:
        parsed = parse_arn(name_or_arn)
        if parsed is None:
            return pipeline_arn(self._region, self._account_id, name_or_arn)
        return pipeline_arn(parsed.region, parsed.account, parsed.name)

    def missing(self, name_or_arn: str) -> AwsError:
        """That there is no such pipeline."""
        return AwsError("ResourceNotFound", f"Pipeline '{self._arn(name_or_arn)}' does not exist.")

    def _update(self, name_or_arn: str, change: Callable[[PipelineRecord], PipelineRecord]) -> PipelineRecord:
        try:
            return self._store.update_pipeline(self.find(name_or_arn).name, change)
        except KeyError:
            raise self.missing(name_or_arn) from None

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """CreatePipeline."""
        arn = replayed(self._store, "CreatePipeline", request)
        if arn is not None:
            return {"PipelineArn": arn}
        name = request["PipelineName"]
        if self._store.pipeline(name) is not None:
            raise _taken(name)
        definition = self._definition(request)
        if definition is None:
            raise AwsError(
                "ValidationException",
                "Either Pipeline Definition or Pipeline Definition S3 location should be provided",
            )
        arn, now = pipeline_arn(self._region, self._account_id, name), self._clock.now()
        aliases = new_aliases((), arn, request.get("PipelineVersionAliases", []))
        record = PipelineRecord(
            arn=arn,
            name=name,
            role_arn=request["RoleArn"],
            versions=(PipelineVersion(1, definition, now, aliases=aliases),),
            created=now,
            modified=now,
            display_name=request.get("PipelineDisplayName", name),
            description=request.get("PipelineDescription"),
            max_parallel_steps=request.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps"),
            tags={tag["Key"]: tag["Value"] for tag in request.get("Tags", [])},
        )
        if not self._store.add_pipeline(record, to_remember("CreatePipeline", request)):
            raise _taken(name)
        return {"PipelineArn": record.arn}

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """UpdatePipeline. Fields that are not given stay; a new definition is a new version."""
        self.find(request["PipelineName"])
        definition = self._definition(request)
        now = self._clock.now()
        parallel = request.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")
        changed = self._update(
            request["PipelineName"],
            lambda record: replace(
                record,
                versions=next_versions(record, definition, now, request.get("PipelineVersionAliases", [])),
                modified=now,
                role_arn=request.get("RoleArn", record.role_arn),
                display_name=request.get("PipelineDisplayName", record.display_name),
                description=request.get("PipelineDescription", record.description),
                max_parallel_steps=parallel or record.max_parallel_steps,
            ),
        )
        return {"PipelineArn": changed.arn, "PipelineVersionId": changed.current.version}

    def update_version(self, request: dict[str, Any]) -> dict[str, Any]:
        """UpdatePipelineVersion: the display name, description and aliases of one version."""
        number = request["PipelineVersionId"]

        def change(record: PipelineRecord) -> PipelineRecord:
            version = find_version(record, number)
            changed = replace(
                version,
                display_name=request.get("PipelineVersionDisplayName", version.display_name),
                description=request.get("PipelineVersionDescription", version.description),
                aliases=changed_aliases(record, version, request.get("PipelineVersionAliasOperations", {})),
            )
            versions = tuple(changed if item is version else item for item in record.versions)
            return replace(record, versions=versions, modified=self._clock.now())

        return {"PipelineArn": self._update(request["PipelineArn"], change).arn, "PipelineVersionId": number}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeletePipeline, with all its executions. Refused while one of them runs."""
        arn = replayed(self._store, "DeletePipeline", request)
        if arn is not None:
            return {"PipelineArn": arn}
        record = self.find(request["PipelineName"])
        try:
            running = self._store.delete_pipeline(record.name, to_remember("DeletePipeline", request))
        except KeyError:
            raise self.missing(record.name) from None
        if running:
            raise AwsError(
                "ConflictException",
                f"Pipeline '{record.arn}' has {len(running)} running executions, such as {running[0]}. "
                "Stop them with StopPipelineExecution, then delete the pipeline.",
            )
        return {"PipelineArn": record.arn}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribePipeline."""
        record = self.find(request["PipelineName"])
        version = find_version(record, request.get("PipelineVersionId"), request.get("PipelineVersionAlias"))
        return views.pipeline_description(record, version)

    def list_pipelines(self, request: dict[str, Any]) -> dict[str, Any]:
        """ListPipelines. AWS manages none of them."""
        prefix = request.get("PipelineNamePrefix", "")
        found = [] if request.get("ManagedBy") == "AWS" else self._store.pipelines()
        records = [item for item in found if item.name.startswith(prefix)]
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
        if parsed is None or parsed.execution is not None:
            return False
        record = self._store.pipeline(parsed.name)
        return record is not None and record.arn == self._arn(arn)

    def add_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        """AddTags on a pipeline: values of keys that are there already are replaced."""

        def change(record: PipelineRecord) -> PipelineRecord:
            tags = {**record.tags, **{tag["Key"]: tag["Value"] for tag in request["Tags"]}}
            if len(tags) > MAX_TAGS:
                raise AwsError("ResourceLimitExceeded", f"A pipeline takes {MAX_TAGS} tags, not {len(tags)}.")
            return replace(record, tags=tags)

        return {"Tags": _tag_list(self._update(request["ResourceArn"], change).tags)}

    def list_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        """ListTags of a pipeline."""
        shown, token = page(_tag_list(self.find(request["ResourceArn"]).tags), request)
        return {"Tags": shown, **token}

    def delete_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeleteTags of a pipeline."""
        gone = set(request["TagKeys"])
        self._update(
            request["ResourceArn"],
            lambda record: replace(record, tags={key: tag for key, tag in record.tags.items() if key not in gone}),
        )
        return {}

    def _definition(self, request: Mapping[str, Any]) -> str | None:
        """The definition that a request gives, checked."""
        text = request.get("PipelineDefinition")
        location = request.get("PipelineDefinitionS3Location")
        if text is not None and location is not None:
            raise AwsError(
                "ValidationException",
                "Both Pipeline Definition and Pipeline Definition S3 Location shouldn't be present",
            )
        if location is not None:
            text = self._download(location)
        if text is not None:
            try:
                validate(parse_definition(text))
            except RecursionError:
                refuse("It is nested too deeply.")
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


def _taken(name: str) -> AwsError:
    return AwsError(
        "ValidationException",
        f"Pipeline names must be unique within an AWS account and region. Pipeline with name ({name}) already exists.",
    )


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
