"""The operations of Athena that concern query executions, and work groups as queries need them."""

from __future__ import annotations

import uuid
from typing import Any

from botocore.exceptions import ClientError

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.athena.executions import AthenaQueries, now
from localmaker.services.athena.results import cells_of, records_of, row_of
from localmaker.services.athena.running import Query, output_location
from localmaker.services.athena.statements import parse, refused
from localmaker.services.athena.store import QueryStore
from localmaker.services.iam.acting import Acting
from localmaker.services.iam.authorization import requester

_PAGE, _ROWS = 50, 1000
_PRIMARY = "primary"
_ENGINE = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}
#: What a work group has when nothing else is said (CreateWorkGroup in the API reference).
_DEFAULTS = {
    "EnforceWorkGroupConfiguration": True,
    "PublishCloudWatchMetricsEnabled": True,
    "RequesterPaysEnabled": False,
    "EngineVersion": _ENGINE,
}
_CHUNK_BYTES = 1 << 16


@operation("athena", "GetWorkGroup")
def get_work_group(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe a work group with the settings that it has by default."""
    group = context.ask_moto(request).get("WorkGroup")
    if not group:
        raise refused(f"WorkGroup {request['WorkGroup']} is not found.")
    return {"WorkGroup": {**group, "Configuration": {**_DEFAULTS, **group.get("Configuration", {})}}}


@operation("athena", "StartQueryExecution")
def start_query_execution(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Start a query; it runs with the caller's rights."""
    name = request.get("WorkGroup") or _PRIMARY
    try:
        group = context.endpoint.client("athena", context.region).get_work_group(WorkGroup=name)["WorkGroup"]
    except ClientError as error:
        raise refused(error.response["Error"]["Message"]) from error
    if group.get("State") == "DISABLED":
        raise refused(f"WorkGroup {name} is disabled.")
    parameters = request.get("ExecutionParameters") or []
    statement = parse(request["QueryString"], parameters)
    where = request.get("QueryExecutionContext") or {}
    if where.get("Catalog", "AwsDataCatalog").lower() != "awsdatacatalog":
        raise refused(f"the local endpoint has no data catalog {where['Catalog']}, only AwsDataCatalog")
    configuration = group["Configuration"]
    enforced = bool(configuration["EnforceWorkGroupConfiguration"])
    results = _results(request, configuration, enforced=enforced)
    output = results["OutputLocation"].rstrip("/") + "/"
    _check_bucket(output, context)
    identifier = str(uuid.uuid4())
    document: dict[str, Any] = {
        "QueryExecution": {
            "QueryExecutionId": identifier,
            "Query": request["QueryString"],
            "StatementType": statement.type,
            "SubstatementType": statement.name,
            "ResultConfiguration": {**results, "OutputLocation": output_location(statement, output, identifier)},
            "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
            "QueryExecutionContext": {"Catalog": "awsdatacatalog", **_lowered(where)},
            "Status": {"State": "QUEUED", "SubmissionDateTime": now()},
            "Statistics": {},
            "WorkGroup": name,
            "EngineVersion": _ENGINE,
            **({"ExecutionParameters": parameters} if parameters else {}),
        },
    }
    database = document["QueryExecution"]["QueryExecutionContext"].get("Database", "")
    query = Query(identifier, statement, database, output, enforced, results.get("EncryptionConfiguration", {}))
    token = request.get("ClientRequestToken") or identifier
    started = context.service(AthenaQueries).start(document, query, requester(), context.region, token)
    if started != identifier and _document(started, context)["QueryExecution"]["Query"] != request["QueryString"]:
        raise refused("Idempotent parameters do not match")
    return {"QueryExecutionId": started}


def _lowered(where: dict[str, str]) -> dict[str, str]:
    return {name: value.lower().strip('`"') for name, value in where.items()}


def _results(request: dict[str, Any], configuration: dict[str, Any], *, enforced: bool) -> dict[str, Any]:
    """Return the ResultConfiguration that takes effect."""
    if (configuration.get("ManagedQueryResultsConfiguration") or {}).get("Enabled"):
        raise refused("the local endpoint does not cover managed query results; give the work group an output location")
    own, asked = configuration.get("ResultConfiguration") or {}, request.get("ResultConfiguration") or {}
    found: dict[str, Any] = own if enforced and own.get("OutputLocation") else {**own, **asked}
    if not found.get("OutputLocation"):
        raise refused(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    if not found["OutputLocation"].startswith("s3://"):
        raise refused(f"outputLocation is not a valid S3 path: {found['OutputLocation']}")
    return found


def _check_bucket(output: str, context: RequestContext) -> None:
    bucket = output.removeprefix("s3://").partition("/")[0]
    try:
        with context.service(Acting).caller(requester(), context.region) as clients:
            clients("s3").get_bucket_location(Bucket=bucket)
    except ClientError as error:
        message = error.response["Error"].get("Message", "")
        raise refused(f"Unable to verify/create output bucket {bucket}. {message}") from error


@operation("athena", "GetQueryExecution")
def get_query_execution(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe an execution."""
    document = _allowed(request["QueryExecutionId"], "GetQueryExecution", context)
    return {"QueryExecution": document["QueryExecution"]}


@operation("athena", "BatchGetQueryExecution")
def batch_get_query_execution(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe up to 50 executions; those that do not exist are named."""
    found, missing = [], []
    for identifier in request["QueryExecutionIds"]:
        try:
            document = _allowed(identifier, "BatchGetQueryExecution", context)
        except AwsError as error:
            if error.code != "InvalidRequestException":
                raise
            unprocessed = {"QueryExecutionId": identifier, "ErrorCode": "INVALID_QUERY_EXECUTION_ID"}
            missing.append({**unprocessed, "ErrorMessage": error.message})
        else:
            found.append(document["QueryExecution"])
    return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}


@operation("athena", "ListQueryExecutions")
def list_query_executions(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List the executions of a work group, the newest first."""
    limit = request.get("MaxResults") or _PAGE
    before = _number(request.get("NextToken"))
    group = request.get("WorkGroup") or _PRIMARY
    found = context.service(QueryStore).page(context.region, group, before, limit + 1)
    answer: dict[str, Any] = {"QueryExecutionIds": [identifier for _, identifier in found[:limit]]}
    if len(found) > limit:
        answer["NextToken"] = str(found[limit - 1][0])
    return answer


@operation("athena", "StopQueryExecution")
def stop_query_execution(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Stop a query; one that has ended stays as it is."""
    context.service(AthenaQueries).stop(_allowed(request["QueryExecutionId"], "StopQueryExecution", context))
    return {}


@operation("athena", "GetQueryRuntimeStatistics")
def get_query_runtime_statistics(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Tell how long a query took, and what it read."""
    execution = _allowed(request["QueryExecutionId"], "GetQueryRuntimeStatistics", context)["QueryExecution"]
    names = ("QueryQueueTimeInMillis", "EngineExecutionTimeInMillis", "TotalExecutionTimeInMillis")
    statistics = execution["Statistics"]
    return {
        "QueryRuntimeStatistics": {
            "Timeline": {name: statistics[name] for name in names if name in statistics},
            "Rows": {"InputBytes": statistics.get("DataScannedInBytes", 0)},
        }
    }


@operation("athena", "GetQueryResults")
def get_query_results(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Return a page of rows, read with the caller's rights from the file of the results; the first row names them."""
    document = _allowed(request["QueryExecutionId"], "GetQueryResults", context)
    execution = document["QueryExecution"]
    state = execution["Status"]["State"]
    if state in ("QUEUED", "RUNNING"):
        raise refused(f"Query has not yet finished. Current state: {state}")
    if state != "SUCCEEDED":
        raise refused(f"Query did not finish successfully. Final query state: {state}")
    result: dict[str, Any] = {"ResultSetMetadata": {"ColumnInfo": document["Columns"]}, "Rows": []}
    if document["Written"] is not None:
        return {"ResultSet": result, "UpdateCount": document["Written"]}
    location = execution["ResultConfiguration"]["OutputLocation"]
    offset = _number(request.get("NextToken")) or 0
    limit = request.get("MaxResults") or _ROWS
    bucket, _, key = location.removeprefix("s3://").partition("/")
    try:
        with context.service(Acting).caller(requester(), context.region) as clients:
            s3 = clients("s3")
            if s3.head_object(Bucket=bucket, Key=key)["ContentLength"] <= offset:
                return {"ResultSet": result, "UpdateCount": 0}
            body = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={offset}-")["Body"]
            with body:
                records, more = records_of(body.iter_chunks(_CHUNK_BYTES), limit)
    except ClientError as error:
        raise refused(f"The results at {location} cannot be read. {error}") from error
    read = cells_of if key.endswith(".csv") else _fields
    result["Rows"] = [row_of(read(record)) for record in records]
    answer: dict[str, Any] = {"ResultSet": result, "UpdateCount": 0}
    if more:
        answer["NextToken"] = str(offset + sum(map(len, records)))
    return answer


def _fields(record: bytes) -> list[str | None]:
    return [*record.decode().removesuffix("\n").split("\t")]


def _number(token: str | None) -> int | None:
    if token is None:
        return None
    if not token.isdecimal():
        raise refused("Invalid NextToken")
    return int(token)


def _document(identifier: str, context: RequestContext) -> dict[str, Any]:
    document = context.service(QueryStore).get(context.region, identifier)
    if document is None:
        raise refused(f"QueryExecution {identifier} was not found")
    return document


def _allowed(identifier: str, action: str, context: RequestContext) -> dict[str, Any]:
    """Return a document whose work group the caller may use for this: the request does not name the group."""
    document = _document(identifier, context)
    group = f"arn:aws:athena:{context.region}:{context.account_id}:workgroup/{document['QueryExecution']['WorkGroup']}"
    context.service(Acting).check_caller(requester(), f"athena:{action}", group, context.region)
    return document
