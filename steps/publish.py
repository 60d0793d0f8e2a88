"""Join predictions to their rows and put them into S3 for people to open, with a manifest beside it.

predictions/dt=<upload date>/<prediction name>.csv has a header and one line a row; the manifest is put after it, so a
manifest always describes a file that exists; last comes newest/<name of the key>.json, which says which of them is of
the newest upload under a key. Publishing again replaces them with the same bytes. A version that is not the newest any
more is not published: the answer's `decision` is "superseded" then, else "published".

Files are read and written in parts, so memory does not grow with them.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from argparse import Namespace
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from analysis.runtime.aws import aws_call, patient_client, split_s3_uri, unless
from analysis.runtime.container import run_step
from analysis.runtime.errors import AwsCallError, PublishError
from analysis.runtime.files import json_text
from analysis.runtime.functions import FunctionArguments, Outputs, as_function, outputs_of
from analysis.runtime.holders import refuse_unless_held
from analysis.runtime.project import NAME
from analysis.runtime.streams import GeneratedFile, lines_of, put_stream
from analysis.runtime.upload import Claim, claim_from, prediction_name
from analysis.runtime.versions import superseded

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ACTUAL = "actual"
COLUMNS = (
    *("prediction", "lower_95", "upper_95", ACTUAL),
    *("model_version", "execution_id", "source_key", "extrapolated"),
)
"""Columns of the prediction file after those that name the row; `actual` is empty where it is not known yet.
`extrapolated` is 1 where an input lies outside its training range, else 0, and empty for models that do not know their
ranges. A new column comes last: Athena tells columns by their position, in the files of before, too."""
PUBLISHED, SUPERSEDED = "published", "superseded"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Spreadsheets take a cell that starts with one of these for a formula; the last four are full-width forms."""
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_GONE = frozenset({"404", "NoSuchKey", "NotFound"})
_LOST_THE_RACE = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_NO_SUCH_MODEL = frozenset({"ValidationException", "ResourceNotFound"})
_ROUNDS = 10
_ROWS_A_PIECE = 2000


def safe_text(text: str) -> str:
    """Put an apostrophe in front of `text` where a spreadsheet could take it for a formula."""
    formula = text.lstrip(" ").startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(text)
    return f"'{text}" if formula else text


def last_part(arn: str) -> str:
    """Return an execution's id or a model package's version number from its ARN (…:model-package/group/3 → "3")."""
    return arn.rpartition("/")[2]


def prediction_of(line: str, number: int) -> list[str]:
    """Return (prediction, lower, upper, extrapolated) of a line of the transform's output, as written there.

    extrapolated is empty where the model's own code, of an earlier version, does not say. Raises PublishError naming a
    line that is not three finite numbers, and 0 or 1.
    """
    values = line.split(",")
    numbers, marks = values[:3], values[3:]
    try:
        if len(numbers) == 3 and all(math.isfinite(float(value)) for value in numbers):  # noqa: PLR2004
            if not marks:
                return [*numbers, ""]
            if marks in (["0"], ["1"]):
                return values
    except ValueError:
        pass
    raise PublishError(
        f"The transform's output, line {number}: {line[:60]!r} is not prediction,lower,upper,extrapolated."
    )


class Table:
    """The prediction file, made piece by piece from the lines of rows.csv and of the transform's output."""

    def __init__(self, rows: Iterator[str], predictions: Iterator[str], texts: tuple[str, str, str]) -> None:
        """Take the values of model_version, execution_id and source_key as `texts`.

        rows.csv has what names each row, then `actual`.
        """
        self._rows = csv.reader(rows)
        self._header = next(self._rows, [])
        self._predictions = predictions
        self._texts = [safe_text(text) for text in texts]
        self.rows = 0
        self.extrapolated: int | None = None
        """How many rows are extrapolated; None where no line of the transform's output says."""

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return [*self._header[:-1], *COLUMNS]

    def pieces(self) -> Iterator[bytes]:
        """Yield the file's bytes.

        Raises PublishError where the two sources don't belong together, at the latest after the last piece.
        """
        *labels, actual = self._header or [""]
        if not labels or actual != ACTUAL:
            raise PublishError(f"rows.csv has the columns {', '.join(self._header)}: the last one must be {ACTUAL}.")
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        for row, line in zip_longest(self._rows, self._predictions):
            if row is None or line is None:
                raise self._unequal(row, line)
            *named, actual = row
            self.rows += 1
            *numbers, mark = prediction_of(line, self.rows)
            if mark:
                self.extrapolated = (self.extrapolated or 0) + int(mark)
            writer.writerow([*map(safe_text, named), *numbers, actual, *self._texts, mark])
            if self.rows % _ROWS_A_PIECE == 0:
                yield buffer.getvalue().encode("utf-8")
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue().encode("utf-8")

    def _unequal(self, row: list[str] | None, line: str | None) -> PublishError:
        rows = self.rows + (row is not None) + sum(1 for _ in self._rows)
        predictions = self.rows + (line is not None) + sum(1 for _ in self._predictions)
        return PublishError(
            f"There are {rows} rows but {predictions} predictions: they don't belong to the same run. "
            "Nothing was published."
        )


def publish(s3: S3Client, request: Namespace, claim: Claim) -> Outputs:
    """Put table, manifest and the pointer to the newest, unless a newer version has arrived; take them back if it does.

    The pointer is replaced only where nobody else has replaced it since, so a slow execution for an older version can't
    win over a faster one for a newer.
    """
    bucket, prefix = split_s3_uri(request.predictions_uri)
    root = f"{prefix}/" if prefix else ""
    place = f"dt={claim.dt}/{claim.prediction_name}"
    csv_key, manifest_key = f"{root}predictions/{place}.csv", f"{root}manifests/{place}.json"
    newest_key = f"{root}newest/{prediction_name(claim.key, key_digest(claim))}.json"
    replaced = superseded(s3, claim)
    finished = _exists(s3, bucket, manifest_key)
    manifest: dict[str, Any] = {}
    for _ in range(_ROUNDS):
        if replaced is not None:
            # What an earlier execution has published for its version is finished, and stays.
            for key in (manifest_key, csv_key) if not finished and _exists(s3, bucket, csv_key) else ():
                with aws_call(f"Removing s3://{bucket}/{key}"):
                    s3.delete_object(Bucket=bucket, Key=key)
            return outputs_of(replaced, decision=SUPERSEDED, predictions_uri=None)
        if not manifest:
            manifest = _put_table(s3, request, claim, bucket, csv_key)
            _put_json(s3, bucket, manifest_key, manifest)
        pointer = unless(
            f"Reading s3://{bucket}/{newest_key}", _GONE, lambda: s3.head_object(Bucket=bucket, Key=newest_key)
        )
        replaced = superseded(s3, claim)
        condition = {"IfNoneMatch": "*"} if pointer is None else {"IfMatch": pointer["ETag"]}
        if replaced is None and _put_json(s3, bucket, newest_key, {**manifest, "manifest": manifest_key}, **condition):
            return outputs_of(in_words(manifest), decision=PUBLISHED, predictions_uri=f"s3://{bucket}/{csv_key}")
    retry = f"{NAME} retry {last_part(request.execution_arn)}"
    raise PublishError(f"s3://{bucket}/{newest_key} was replaced {_ROUNDS} times meanwhile. Run it again: {retry}")


def in_words(manifest: dict[str, Any]) -> str:
    """Say how many predictions there are, and how many of them are extrapolated, if any."""
    outside = f", {manifest['extrapolated']} of them outside the training ranges" if manifest["extrapolated"] else ""
    return f"{manifest['rows']} predictions{outside}"


def _exists(s3: S3Client, bucket: str, key: str) -> bool:
    what = f"Looking at s3://{bucket}/{key}"
    return unless(what, _GONE, lambda: s3.head_object(Bucket=bucket, Key=key)) is not None


def key_digest(claim: Claim) -> str:
    """Return the SHA-256 of what all versions of a file have in common."""
    return hashlib.sha256(f"{claim.bucket}\0{claim.key}".encode()).hexdigest()


def _put_table(s3: S3Client, request: Namespace, claim: Claim, bucket: str, key: str) -> dict[str, Any]:
    """Write the CSV and return its manifest, which depends on the arguments alone."""
    rows = lines_of(s3, *split_s3_uri(request.rows_uri))
    predictions = lines_of(s3, *split_s3_uri(request.transform_uri))
    table = Table(
        rows, predictions, (last_part(request.model_package_arn), last_part(request.execution_arn), claim.key)
    )
    file = GeneratedFile(table.pieces())
    put_stream(s3, bucket, key, file, "text/csv; charset=utf-8")
    return {
        "predictions": key,
        "rows": table.rows,
        "extrapolated": table.extrapolated,
        "bytes": file.size,
        "sha256": file.sha256,
        "columns": table.columns,
        "source": {name: getattr(claim, name) for name in ("bucket", "key", "version_id", "identity")},
        "uploaded_at": claim.uploaded_at,
        "model_package_arn": request.model_package_arn,
        "execution_arn": request.execution_arn,
    }


def _put_json(s3: S3Client, bucket: str, key: str, document: dict[str, Any], **condition: str) -> bool:
    """Put a document; False where the condition does not hold."""
    body = json_text(document).encode("utf-8")
    answer = unless(
        f"Writing s3://{bucket}/{key}",
        _LOST_THE_RACE | _GONE if condition else frozenset(),
        lambda: s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json", **condition),  # type: ignore[arg-type]
    )
    return answer is not None


def read_claim_object(s3: S3Client, uri: str) -> Claim:
    """Read the claim.json that claim.py has put beside the copy of the file."""
    bucket, key = split_s3_uri(uri)
    with aws_call(f"Reading {uri}"):
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        return claim_from(dict(json.loads(body)), uri)
    except (TypeError, ValueError) as error:
        raise PublishError(f"{uri} is not a claim ({error}).") from error


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
    parser.add_argument("--model-package-arn", required=True, help="model package that made the predictions")
    parser.add_argument("--execution-arn", required=True, help="pipeline execution that made the predictions")
    parser.add_argument("--claims-uri", required=True, help="s3://bucket/prefix that holds the claims")
    parser.add_argument("--claim-name", required=True, help="name of this execution's claim")
    parser.add_argument("--model-name", help="model that the transform used, and nobody needs afterwards")
    request = parser.parse_args(arguments)
    s3, sagemaker = (patient_client(service, request.retry_seconds) for service in ("s3", "sagemaker"))
    refuse_unless_held(s3, request.claims_uri, request.claim_name, request.execution_arn)
    outputs = publish(s3, request, read_claim_object(s3, request.claim_uri))
    if request.model_name is not None:
        _delete_model(sagemaker, request.model_name)
    print(f"publish: {outputs['decision']}: {outputs['reason']} ({outputs['predictions_uri']})")
    return outputs


handler = as_function(publish_step)


def main(arguments: Sequence[str]) -> None:
    """Run the step as a program: its output parameters go to standard output as JSON."""
    print(json_text(dict(publish_step(arguments))), end="")


if __name__ == "__main__":
    run_step(main)
