"""Measure earlier predictions by the outcomes that a file brings, and put the result where people and alarms see it.

realised/<profile>/dt=<upload date>/<prediction name>.csv has one line for each row whose outcome the file brings and
each version that had predicted it before, with both; its summary, with sums by version and day, is put after it.
Doing it again replaces them with the same bytes. A prediction counts only where the outcome was not known yet when it
was made; analysis/realised/join.py has the rules.

CloudWatch gets coverage and errors of the newest results, over --least-rows rows or more. Where it does not take them,
`reason` and log say so and the step succeeds.

A part of the outcomes is in memory at a time, and the files that may have predicted them are read for each part: as
many rows as the function's memory allows. Of a table with a time, only the files of the same days are read.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.publishing.objects import read_claim_object
from analysis.publishing.places import Room
from analysis.realised.cells import Realisation, RealisedTable, outcomes_in
from analysis.realised.files import counted_rows, newest_summaries, predicted_rows, put_realised, sources_in
from analysis.realised.join import Moment, Source, matter, realised_of
from analysis.realised.metrics import metric_data
from analysis.realised.settle import settled
from analysis.realised.sums import Sums, Table, added, by_version
from analysis.runtime.aws import patient_client, split_s3_uri
from analysis.runtime.container import run_step
from analysis.runtime.files import json_text
from analysis.runtime.functions import FunctionArguments, Outputs, as_function, outputs_of
from analysis.runtime.metrics import pipeline_of, put_metrics
from analysis.runtime.streams import lines_of
from analysis.runtime.upload import Claim
from analysis.runtime.versions import superseded

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ROWS_A_MIB = 200
"""Outcomes, with what a few versions predicted, for each MiB of memory beyond what the program itself takes."""
_PROGRAM_MIB, _DEFAULT_MIB, _LEAST_MIB = 128, 512, 16


def rows_at_once() -> int:
    """Return how many outcomes fit into the function's memory."""
    memory = int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", _DEFAULT_MIB))
    return max(memory - _PROGRAM_MIB, _LEAST_MIB) * _ROWS_A_MIB


def score(s3: S3Client, request: Namespace, claim: Claim, sources: Sequence[Source]) -> Table:
    """Put the results of each profile that has predicted anything; return their sums."""
    room, joined_by = Room.of(request.predictions_uri), tuple(request.joined_by.split(","))
    upload = Moment(claim.uploaded_at, claim.identity)
    tables = []
    for profile in sorted({source.profile for source in sources if source.unknown}):
        lines = lines_of(s3, *split_s3_uri(request.rows_uri))
        labels, outcomes = outcomes_in(lines, joined_by, "rows.csv")
        rows = realised_of(
            outcomes,
            upload,
            sources,
            lambda source: predicted_rows(s3, room, source, joined_by),
            profile=profile,
            at_once=rows_at_once(),
        )
        table = RealisedTable(labels, Realisation(claim, profile, joined_by, request.time_label))
        put_realised(s3, room, table, rows)
        tables.append(table.sums)
    return added(tables)


def newest_results(s3: S3Client, room: Room, least_rows: int) -> Table:
    """Return the sums of the newest results of all profiles that have so many rows together."""
    found = newest_summaries(s3, room, least_rows)
    profiles = {one.profile for one in found}
    return added(
        settled((one for one in found if one.profile == profile), lambda one: counted_rows(s3, room, one))
        for profile in sorted(profiles)
    )


def in_words(table: Table) -> str:
    """Say how good the predictions of each version were."""
    if not table:
        return "no row of the file was predicted before its outcome was known"
    return "; ".join(_of_version(version, sums) for version, sums in by_version(table).items())


def _of_version(version: str, sums: Sums) -> str:
    figures = sums.figures
    return (
        f"version {version}: {sums.covered} of {sums.rows} outcomes in the interval ({figures['coverage']:.0%}), "
        f"mean absolute error {figures['mae']:.4g}"
    )


def score_step(arguments: Sequence[str]) -> Outputs:
    """Run the step and return its output parameters."""
    parser = FunctionArguments(__doc__)
    add = parser.add_argument
    add("--rows-uri", required=True, help="s3://… of rows.csv")
    add("--claim-uri", required=True, help="s3://… of claim.json")
    add("--predictions-uri", required=True, help="s3://bucket[/prefix] that has the predictions and gets the results")
    add("--joined-by", required=True, help="columns that name a row, with commas between them")
    add("--time-label", help="column whose day a row is counted under; by default it is the day of the upload")
    add("--metrics-namespace", help="of CloudWatch, that gets coverage and errors")
    add("--least-rows", type=int, default=30, help="rows that figures for CloudWatch are of, at least")
    add("--execution-arn", required=True, help="pipeline execution that ingested the outcomes")
    request = parser.parse_args(arguments)
    s3 = patient_client("s3", request.retry_seconds)
    claim = read_claim_object(s3, request.claim_uri)
    if claim.schedule:
        return outputs_of("a schedule started the run, and no file landed", rows=None)
    if reason := superseded(s3, claim):
        return outputs_of(reason, rows=None)
    room = Room.of(request.predictions_uri)
    sources = matter(sources_in(s3, room, claim.dt), Moment(claim.uploaded_at, claim.identity))
    table = score(s3, request, claim, sources)
    reason = in_words(table)
    if table and request.metrics_namespace is not None:
        calls = metric_data(
            newest_results(s3, room, request.least_rows), pipeline_of(request.execution_arn), request.least_rows
        )
        reason += put_metrics(request.metrics_namespace, calls, "score", "The results are out.")
    print(f"score: {reason}")
    return outputs_of(reason, rows=str(sum(sums.rows for sums in table.values())))


handler = as_function(score_step)


def main(arguments: Sequence[str]) -> None:
    """Run the step as a program: its output parameters go to standard output as JSON."""
    print(json_text(dict(score_step(arguments))), end="")


if __name__ == "__main__":
    run_step(main)
