"""Join predictions to their rows and put them into S3 for people to open, with a page and a manifest beside them.

predictions/<profile>/dt=<upload date>/<prediction name>.csv has a header and one line a row; reports/ has an HTML page
of the same name that says how far to trust it. The manifest is put after both, so a manifest always describes files
that exist; last come newest/<profile>/<name of the key>.json, which says
which of them is of the newest upload under a key, and newest/<profile>/latest.json, the same of all keys. Publishing
again replaces them with the same bytes: the approval status is the one that the manifest has from the first time. A
version that is not the newest any more is not published: the answer's `decision` is "superseded" then, else
"published".

With --drift-uri, page and manifest say how far the file is from the training rows of its model, and CloudWatch gets
that as metrics once the predictions are out. Where it does not take them, `reason` and log say so and the step
succeeds: predictions are worth more than metrics.

Files are read and written in parts, so memory does not grow with them.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from analysis.publishing.findings import expected_of
from analysis.publishing.manifest import Maker, Publication, in_words, manifest_of
from analysis.publishing.objects import (
    etag_of,
    exists,
    put_json,
    read_claim_object,
    read_document,
    read_if_there,
    replacing,
)
from analysis.publishing.page import CONTENT_TYPE, Scored, page
from analysis.publishing.places import Places, places_of
from analysis.publishing.table import SameInAllRows, Table
from analysis.publishing.version import Version, described
from analysis.publishing.words import words_of
from analysis.runtime import drift
from analysis.runtime.aws import aws_call, patient_client, split_s3_uri, unless
from analysis.runtime.container import run_step
from analysis.runtime.errors import AwsCallError, PublishError, SettingsError
from analysis.runtime.files import json_text
from analysis.runtime.functions import ABSENT, FunctionArguments, Outputs, as_function, outputs_of
from analysis.runtime.holders import refuse_unless_held
from analysis.runtime.metrics import pipeline_of, put_metrics
from analysis.runtime.project import NAME
from analysis.runtime.streams import GeneratedFile, lines_of, put_stream
from analysis.runtime.upload import Claim
from analysis.runtime.versions import superseded

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PUBLISHED, SUPERSEDED = "published", "superseded"
_NO_SUCH_MODEL = frozenset({"ValidationException", "ResourceNotFound"})
_ROUNDS = 10


def last_part(arn: str) -> str:
    """Return an execution's id or a model package's version number from its ARN (…:model-package/group/3 → "3")."""
    return arn.rpartition("/")[2]


def publish(s3: S3Client, request: Namespace, claim: Claim, version: Version, document: Mapping[str, Any]) -> Outputs:
    """Put table, page, manifest and pointers, unless a newer version has arrived; take them back if it does.

    A pointer is replaced only where nobody else has replaced it since, so a slow execution for an older version can't
    win over a faster one for a newer. document: what the steps before say of the file.
    """
    places = places_of(request.predictions_uri, request.profile, claim)
    bucket = places.bucket
    replaced = superseded(s3, claim)
    before = read_if_there(s3, bucket, places.manifest)
    maker = maker_of(request, version, None if before is None else before[0])
    publication = Publication(claim, places, maker, document, read_evaluation(s3, maker.metrics_uri))
    manifest: dict[str, Any] = {}
    for _ in range(_ROUNDS):
        if replaced is not None:
            # What an earlier execution has published for its version is finished, and stays.
            for key in (
                (places.manifest, places.page, places.table)
                if before is None and exists(s3, bucket, places.table)
                else ()
            ):
                with aws_call(f"Removing s3://{bucket}/{key}"):
                    s3.delete_object(Bucket=bucket, Key=key)
            return outputs_of(replaced, decision=SUPERSEDED, predictions_uri=None)
        if not manifest:
            # Only now, so that a manifest is to be seen at the moment that it names.
            manifest = put_table(s3, request, publication)
            manifest["predicted_at"] = predicted_at(maker, before and before[0])
            put_json(s3, bucket, places.manifest, manifest)
        etag = etag_of(s3, bucket, places.newest)
        replaced = superseded(s3, claim)
        pointer = {**manifest, "manifest": places.manifest}
        if replaced is None and put_json(s3, bucket, places.newest, pointer, **replacing(etag)):
            point_to_latest(s3, places, pointer)
            return outputs_of(in_words(manifest), decision=PUBLISHED, predictions_uri=f"s3://{bucket}/{places.table}")
    raise replaced_too_often(f"s3://{bucket}/{places.newest}", request.execution_arn)


def maker_of(request: Namespace, version: Version, before: dict[str, Any] | None) -> Maker:
    """Return who has predicted, with the status from the first time where this execution has published it before.

    Otherwise an approval between two attempts would change a file that somebody may have opened.
    """
    maker = Maker(version.arn, request.execution_arn, request.profile, version.status, version.statistics_uri)
    if before is None or not is_of(before, maker):
        return maker
    return replace(maker, **{name: str(before[name]) for name in ("model_status", "metrics_uri")})


def is_of(manifest: dict[str, Any], maker: Maker) -> bool:
    """Say whether a manifest is of the same execution, which publishes again."""
    return all(manifest.get(name) == getattr(maker, name) for name in ("model_package_arn", "execution_arn", "profile"))


def predicted_at(maker: Maker, before: dict[str, Any] | None) -> str:
    """Return the moment from which on predictions can be measured by outcomes: that of their first publication.

    In whole seconds, as S3 gives the moments of uploads, with which it is compared.
    """
    known = before.get("predicted_at") if before is not None and is_of(before, maker) else None
    return str(known or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z")


def put_table(s3: S3Client, request: Namespace, publication: Publication) -> dict[str, Any]:
    """Write the CSV and the page beside it; return the manifest. All of them depend on the arguments alone."""
    claim, maker, places = publication.claim, publication.maker, publication.places
    rows = lines_of(s3, *split_s3_uri(request.rows_uri))
    predictions = lines_of(s3, *split_s3_uri(request.transform_uri))
    same = SameInAllRows(
        model_version=last_part(maker.model_package_arn),
        execution_id=last_part(maker.execution_arn),
        source_key=claim.key,
        model_status=maker.model_status,
        uploaded_at=claim.uploaded_at,
    )
    words = words_of(publication.document)
    table = Table(rows, predictions, same, words.time)
    file = GeneratedFile(table.pieces())
    put_stream(s3, places.bucket, places.table, file, "text/csv; charset=utf-8")
    manifest = manifest_of(publication, table, file)
    scored = Scored(manifest, publication.document, words, table.observed, expected_of(publication.evaluation))
    with aws_call(f"Writing s3://{places.bucket}/{places.page}"):
        s3.put_object(Bucket=places.bucket, Key=places.page, Body=page(scored), ContentType=CONTENT_TYPE)
    return manifest


def point_to_latest(s3: S3Client, places: Places, pointer: dict[str, Any]) -> None:
    """Let latest.json say what was uploaded last of all files of the profile."""
    for _ in range(_ROUNDS):
        found = read_if_there(s3, places.bucket, places.latest)
        known, etag = ({}, None) if found is None else found
        # A slow execution publishes what was uploaded before.
        if str(known.get("uploaded_at", "")) > pointer["uploaded_at"]:
            return
        if put_json(s3, places.bucket, places.latest, pointer, **replacing(etag)):
            return
    raise replaced_too_often(f"s3://{places.bucket}/{places.latest}", pointer["execution_arn"])


def replaced_too_often(uri: str, execution_arn: str) -> PublishError:
    """Return what to raise where others have always been faster."""
    retry = f"{NAME} retry {last_part(execution_arn)}"
    return PublishError(f"{uri} was replaced {_ROUNDS} times meanwhile. Run it again: {retry}")


def read_evaluation(s3: S3Client, uri: str) -> dict[str, Any]:
    """Read the evaluation of a version, for the page; what can't be read is left out, as it may be somebody else's."""
    if not uri.startswith("s3://"):
        return {}
    try:
        return read_document(s3, *split_s3_uri(uri), "an evaluation")
    except (AwsCallError, PublishError, SettingsError) as error:
        print(f"publish: warning: {error} The page is without figures of the version.")
        return {}


def _delete_model(sagemaker: Any, name: str) -> None:
    """Delete the transform's model; the predictions are out, so a failure is left to the sweep."""
    try:
        unless(f"Deleting the model {name}", _NO_SUCH_MODEL, lambda: sagemaker.delete_model(ModelName=name))
    except AwsCallError as error:
        print(f"publish: warning: {error} The sweep will delete it.")


def publish_step(arguments: Sequence[str]) -> Outputs:
    """Run the step and return its output parameters."""
    parser = FunctionArguments(__doc__)
    parser.add_argument("--transform-uri", required=True, help="s3://… of the transform's output")
    parser.add_argument("--rows-uri", required=True, help="s3://… of rows.csv")
    parser.add_argument("--claim-uri", required=True, help="s3://… of claim.json")
    parser.add_argument("--predictions-uri", required=True, help="s3://bucket[/prefix] that gets the predictions")
    parser.add_argument("--profile", required=True, help="of that model; each has a folder and a table of its own")
    parser.add_argument("--model-package-arn", required=True, help="model package that made the predictions")
    parser.add_argument("--execution-arn", required=True, help="pipeline execution that made the predictions")
    parser.add_argument("--claims-uri", required=True, help="s3://bucket/prefix that holds the claims")
    parser.add_argument("--claim-name", required=True, help="name of this execution's claim")
    drift_help = "s3://… of the JSON document that tells of drift: quality.json, or evaluation.json of a training"
    parser.add_argument("--drift-uri", help=drift_help)
    parser.add_argument("--metrics-namespace", help="of CloudWatch, that gets the drift as metrics")
    parser.add_argument("--model-name", help="model that the transform used, and nobody needs afterwards")
    request = parser.parse_args(arguments)
    s3, sagemaker = (patient_client(service, request.retry_seconds) for service in ("s3", "sagemaker"))
    refuse_unless_held(s3, request.claims_uri, request.claim_name, request.execution_arn)
    document: dict[str, Any] = {}
    # An execution that takes over from one of an earlier version has no such document.
    if request.drift_uri not in {None, ABSENT}:
        document = read_document(s3, *split_s3_uri(request.drift_uri), "a report of this project")
    measured = document.get("drift")
    version = described(sagemaker, request.model_package_arn)
    outputs = publish(s3, request, read_claim_object(s3, request.claim_uri), version, document)
    if request.model_name is not None:
        _delete_model(sagemaker, request.model_name)
    if measured and request.metrics_namespace is not None and outputs["decision"] == PUBLISHED:
        calls = drift.metric_data(measured, pipeline_of(request.execution_arn))
        outputs["reason"] += put_metrics(request.metrics_namespace, calls, "publish", "The predictions are out.")
    print(f"publish: {outputs['decision']}: {outputs['reason']} ({outputs['predictions_uri']})")
    return outputs


handler = as_function(publish_step)


def main(arguments: Sequence[str]) -> None:
    """Run the step as a program: its output parameters go to standard output as JSON."""
    print(json_text(dict(publish_step(arguments))), end="")


if __name__ == "__main__":
    run_step(main)
