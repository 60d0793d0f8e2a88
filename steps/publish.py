"""Join predictions to their days and put them into S3 for people to open, with a manifest beside it.

predictions/dt=<upload date>/<prediction name>.csv has a header and one line a day; the manifest is put after it, so a
manifest always describes a file that exists. Both keys come from the claim: publishing again replaces them with the
same bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from analysis.runtime.aws import aws_call, client_settings, split_s3_uri
from analysis.runtime.container import INPUT, Arguments, existing_file, run_step
from analysis.runtime.errors import PublishError
from analysis.runtime.files import read_frame
from analysis.runtime.upload import Claim, read_claim

if TYPE_CHECKING:
    import pandas as pd
    from mypy_boto3_s3 import S3Client

COLUMNS = ("date", "prediction", "lower_95", "upper_95", "actual", "model_version", "execution_id", "source_key")
"""Columns of the prediction file, in order; `actual` is empty for days that have not happened."""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Spreadsheets take a cell that starts with one of these for a formula; the last four are full-width forms."""


def safe_text(text: str) -> str:
    """Put an apostrophe in front of `text` where a spreadsheet could take it for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def last_part(arn: str) -> str:
    """Return an execution's id or a model package's version number from its ARN (…:model-package/group/3 → "3")."""
    return arn.rpartition("/")[2]


def read_predictions(path: Path) -> list[tuple[str, str, str]]:
    """Read (prediction, lower, upper) of each line of the transform's output, as written there.

    Raises PublishError naming a line that is not three finite numbers.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise PublishError(f"{path.name}: the transform's output is not UTF-8 ({error}).") from error
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            prediction, lower, upper = line.split(",")
            finite = all(math.isfinite(float(value)) for value in (prediction, lower, upper))
        except ValueError:
            finite = False
        if not finite:
            raise PublishError(f"{path.name}, line {number}: {line[:60]!r} is not prediction,lower,upper.")
        found.append((prediction, lower, upper))
    return found


def prediction_table(
    rows: pd.DataFrame, predictions: Sequence[tuple[str, str, str]], texts: tuple[str, str, str]
) -> pd.DataFrame:
    """Join days (date and actual) and predictions, all as text. texts: the values of the last three COLUMNS."""
    if list(rows.columns) != ["date", "actual"]:
        raise PublishError(f"rows.csv has the columns {', '.join(map(str, rows.columns))}, not date and actual.")
    if len(rows) != len(predictions):
        raise PublishError(
            f"There are {len(rows)} days but {len(predictions)} predictions: they don't belong to the same run. "
            "Nothing was published."
        )
    # Imported here so that --help and a wrong call are answered at once.
    import pandas as pd

    table = pd.DataFrame(list(predictions), columns=["prediction", "lower_95", "upper_95"], dtype=str)
    table.insert(0, "date", rows["date"])
    table["actual"] = rows["actual"]
    for name, text in zip(COLUMNS[-len(texts) :], texts, strict=True):
        table[name] = safe_text(text)
    return table[list(COLUMNS)]


def publication(
    table: pd.DataFrame, claim: Claim, model_package_arn: str, execution_arn: str, prefix: str
) -> dict[str, bytes]:
    """Build the CSV and, after it, the manifest by their keys.

    Their bytes depend on the arguments alone, so that publishing twice changes nothing.
    """
    root = f"{prefix}/" if prefix else ""
    csv_key = f"{root}predictions/dt={claim.dt}/{claim.prediction_name}.csv"
    body = table.to_csv(index=False, lineterminator="\n").encode("utf-8")
    manifest: dict[str, Any] = {
        "predictions": csv_key,
        "rows": len(table),
        "bytes": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "columns": list(COLUMNS),
        "source": {"bucket": claim.bucket, "key": claim.key, "etag": claim.etag, "identity": claim.identity},
        "uploaded_at": claim.uploaded_at,
        "model_package_arn": model_package_arn,
        "execution_arn": execution_arn,
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    return {csv_key: body, f"{root}manifests/dt={claim.dt}/{claim.prediction_name}.json": text.encode("utf-8")}


def put(s3: S3Client, bucket: str, files: dict[str, bytes]) -> None:
    """Put the files into S3 in their order."""
    for key, body in files.items():
        content_type = "text/csv; charset=utf-8" if key.endswith(".csv") else "application/json"
        with aws_call(f"Writing s3://{bucket}/{key}"):
            s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)


def main(arguments: Sequence[str]) -> None:
    """Run the step."""
    parser = Arguments(__doc__)
    parser.add_path("--transform-dir", INPUT / "transform", "holds the transform's output")
    parser.add_argument("--transform-file", default="features.csv.out", help="its name there")
    parser.add_path("--rows-dir", INPUT / "rows", "holds rows.csv")
    parser.add_path("--claim-dir", INPUT / "claim", "holds claim.json")
    parser.add_argument("--predictions-uri", required=True, help="s3://bucket[/prefix] that gets the predictions")
    parser.add_argument("--model-package-arn", required=True, help="model package that made the predictions")
    parser.add_argument("--execution-arn", required=True, help="pipeline execution that made the predictions")
    request = parser.parse_args(arguments)
    bucket, prefix = split_s3_uri(request.predictions_uri)
    claim = read_claim(request.claim_dir)
    if not claim.dt:
        raise PublishError("claim.json has no upload date: the input file was missing, so there is nothing to publish.")
    rows = read_frame(existing_file(request.rows_dir / "rows.csv", "The list of days"), text=True)
    output = existing_file(request.transform_dir / request.transform_file, "The transform's output")
    texts = (last_part(request.model_package_arn), last_part(request.execution_arn), claim.key)
    table = prediction_table(rows, read_predictions(output), texts)
    files = publication(table, claim, request.model_package_arn, request.execution_arn, prefix)
    put(boto3.client("s3", **client_settings()), bucket, files)
    print(f"publish: {len(table)} predictions in s3://{bucket}/{next(iter(files))}")


if __name__ == "__main__":
    run_step(main)
