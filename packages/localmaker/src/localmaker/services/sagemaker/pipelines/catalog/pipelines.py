"""Pipelines and their versions: create, update, delete, describe, list, tag."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from localmaker.errors import AwsError
from localmaker.services.sagemaker.listing import created_within, page
from localmaker.services.sagemaker.pipelines import views
from localmaker.services.sagemaker.pipelines.catalog.versions import (
    changed_aliases,
    definition_id,
    find_number,
    require_no_aliases,
    with_aliases,
)
from localmaker.services.sagemaker.pipelines.naming import parse_arn, pipeline_arn, pipeline_name
from localmaker.services.sagemaker.pipelines.ports import ClientFactory, Clock
from localmaker.services.sagemaker.pipelines.records import PipelineRecord, PipelineVersion
from localmaker.services.sagemaker.pipelines.store import PipelineStore, token_of
from pipedef.language.parsing import parse_definition
from pipedef.language.refusals import refuse
from pipedef.language.validation import validate

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
        """Return a pipeline by name or ARN.

        Raises:
            AwsError: ResourceNotFound.
        """
        record = self._store.pipeline(pipeline_name(name_or_arn))
        if record is None or record.arn != self._arn(name_or_arn):
            raise self.not_found(name_or_arn)
        return record

    def find_version(
        self, name_or_arn: str, number: int | None, alias: str | None
    ) -> tuple[PipelineRecord, PipelineVersion, str]:
        """Return a pipeline, its version by number or alias (by default the current one), and the definition.

        Raises:
            AwsError: ResourceNotFound, or ValidationException when both are given.
        """
        record = self.find(name_or_arn)
        found = self._store.version(record.name, find_number(record, number, alias))
        if found is None:  # it has just been deleted
            raise self.not_found(name_or_arn)
        return record, *found

    def _arn(self, name_or_arn: str) -> str:
        parsed = parse_arn(name_or_arn)
        if parsed is None:
            return pipeline_arn(self._region, self._account_id, name_or_arn)
        return pipeline_arn(parsed.region, parsed.account, parsed.name)

    def not_found(self, name_or_arn: str) -> AwsError:
        """Return the error for a pipeline that does not exist."""
        return AwsError("ResourceNotFound", f"Pipeline '{self._arn(name_or_arn)}' does not exist.")

    def _update(
        self,
        name_or_arn: str,
        change: Callable[[PipelineRecord], PipelineRecord],
        new_version: Callable[[PipelineRecord, PipelineVersion], PipelineVersion | None] | None = None,
        definition: str = "",
    ) -> PipelineRecord:
        try:
            return self._store.update_pipeline(self.find(name_or_arn).name, change, new_version, definition)
        except KeyError:
            raise self.not_found(name_or_arn) from None

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CreatePipeline."""
        arn = self._store.replayed("CreatePipeline", request)
        if arn is not None:
            return {"PipelineArn": arn}
        name = request["PipelineName"]
        if self._store.pipeline(name) is not None:
            raise _name_in_use(name)
        definition = self._definition(request)
        if definition is None:
            raise AwsError(
                "ValidationException",
                "Either Pipeline Definition or Pipeline Definition S3 location should be provided",
            )
        arn, now = pipeline_arn(self._region, self._account_id, name), self._clock.now()
        aliases = with_aliases({}, arn, 1, request.get("PipelineVersionAliases", []))
        record = PipelineRecord(
            arn=arn,
            name=name,
            role_arn=request["RoleArn"],
            latest=1,
            created=now,
            modified=now,
            display_name=request.get("PipelineDisplayName", name),
            description=request.get("PipelineDescription"),
            max_parallel_steps=request.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps"),
            tags={tag["Key"]: tag["Value"] for tag in request.get("Tags", [])},
            aliases=aliases,
        )
        first = PipelineVersion(1, definition_id(definition), now)
        if not self._store.add_pipeline(record, first, definition, token_of("CreatePipeline", request)):
            raise _name_in_use(name)
        return {"PipelineArn": record.arn}

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer UpdatePipeline. Fields that are not given are kept; a new definition is a new version."""
        self.find(request["PipelineName"])
        definition = self._definition(request)
        now = self._clock.now()
        aliases = request.get("PipelineVersionAliases", [])
        parallel = request.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")

        def new_version(record: PipelineRecord, current: PipelineVersion) -> PipelineVersion | None:
            if definition is None or definition_id(definition) == current.definition_id:
                require_no_aliases(aliases)
                return None
            return PipelineVersion(record.latest + 1, definition_id(definition), now)

        def change(record: PipelineRecord) -> PipelineRecord:
            return replace(
                record,
                modified=now,
                role_arn=request.get("RoleArn", record.role_arn),
                display_name=request.get("PipelineDisplayName", record.display_name),
                description=request.get("PipelineDescription", record.description),
                max_parallel_steps=parallel or record.max_parallel_steps,
                aliases=with_aliases(record.aliases, record.arn, record.latest, aliases),
            )

        changed = self._update(request["PipelineName"], change, new_version, definition or "")
        return {"PipelineArn": changed.arn, "PipelineVersionId": changed.latest}

    def update_version(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer UpdatePipelineVersion: change the display name, description and aliases of one version."""
        number = request["PipelineVersionId"]

        def change(record: PipelineRecord) -> tuple[PipelineRecord, int]:
            find_number(record, number)
            aliases = changed_aliases(record, number, request.get("PipelineVersionAliasOperations", {}))
            return replace(record, aliases=aliases, modified=self._clock.now()), number

        def change_version(version: PipelineVersion) -> PipelineVersion:
            return replace(
                version,
                display_name=request.get("PipelineVersionDisplayName", version.display_name),
                description=request.get("PipelineVersionDescription", version.description),
            )

        name = self.find(request["PipelineArn"]).name
        try:
            changed = self._store.update_version(name, change, change_version)
        except KeyError:
            raise self.not_found(request["PipelineArn"]) from None
        return {"PipelineArn": changed.arn, "PipelineVersionId": number}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DeletePipeline: delete a pipeline with its executions, unless one of them is running."""
        arn = self._store.replayed("DeletePipeline", request)
        if arn is not None:
            return {"PipelineArn": arn}
        record = self.find(request["PipelineName"])
        try:
            running = self._store.delete_pipeline(record.name, token_of("DeletePipeline", request))
        except KeyError:
            raise self.not_found(record.name) from None
        if running:
            raise AwsError(
                "ConflictException",
                f"Pipeline '{record.arn}' has {len(running)} running executions, such as {running[0]}. "
                "Stop them with StopPipelineExecution, then delete the pipeline.",
            )
        return {"PipelineArn": record.arn}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DescribePipeline."""
        number, alias = request.get("PipelineVersionId"), request.get("PipelineVersionAlias")
        return views.pipeline_description(*self.find_version(request["PipelineName"], number, alias))

    def list_pipelines(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ListPipelines. None of them is managed by AWS."""
        prefix = request.get("PipelineNamePrefix", "")
        found = [] if request.get("ManagedBy") == "AWS" else self._store.pipelines()
        records = [item for item in found if item.name.startswith(prefix)]
        records = created_within(records, request, lambda item: item.created)
        by_name = request.get("SortBy") == "Name"
        records.sort(
            key=lambda item: (item.name, item.created) if by_name else (item.created.isoformat(), item.created),
            reverse=request.get("SortOrder", "Descending") == "Descending",
        )
        return page(records, request, "PipelineSummaries", views.pipeline_summary, size=views.PAGE)

    def list_versions(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer ListPipelineVersions."""
        record = self.find(request["PipelineName"])
        versions = created_within(self._store.versions(record.name), request, lambda item: item.created)
        versions.sort(key=lambda item: item.version, reverse=request.get("SortOrder", "Descending") == "Descending")
        last_run: dict[int, str] = {item.pipeline_version: item.arn for item in self._store.executions(record.arn)}

        def summarize(item: PipelineVersion) -> dict[str, Any]:
            return views.present(
                PipelineArn=record.arn,
                PipelineVersionId=item.version,
                CreationTime=item.created,
                PipelineVersionDescription=item.description,
                PipelineVersionDisplayName=item.display_name,
                PipelineVersionAliases=record.aliases_of(item.version) or None,
                LastExecutionPipelineExecutionArn=last_run.get(item.version),
            )

        return page(versions, request, "PipelineVersionSummaries", summarize, size=views.PAGE)

    def change_tags(self, arn: str, added: dict[str, str], removed: Collection[str] = ()) -> dict[str, str]:
        """Add and remove tags of a pipeline, and return all it has then; without a change, only return them.

        Raises:
            AwsError: ResourceNotFound, also for an execution, which takes no tags; ResourceLimitExceeded for more than
                50 tags.
        """

        def change(record: PipelineRecord) -> PipelineRecord:
            tags = {key: value for key, value in {**record.tags, **added}.items() if key not in removed}
            if len(tags) > MAX_TAGS:
                raise AwsError("ResourceLimitExceeded", f"A pipeline takes {MAX_TAGS} tags, not {len(tags)}.")
            return replace(record, tags=tags)

        return self._update(arn, change).tags if added or removed else self.find(arn).tags

    def _definition(self, request: Mapping[str, Any]) -> str | None:
        """Return the definition that a request gives, after checking it."""
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


def _name_in_use(name: str) -> AwsError:
    return AwsError(
        "ValidationException",
        f"Pipeline names must be unique within an AWS account and region. Pipeline with name ({name}) already exists.",
    )
