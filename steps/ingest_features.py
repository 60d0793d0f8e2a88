"""Write each row's features to the Feature Store, once for each upload.

The record identifier names the row, the event time is the moment of the upload, so that writing again changes
nothing and a newer upload replaces an older one. A version that is not the newest any more is not written. What the
service can't take at the moment is sent again until it does, or until the deadline; records that are left out are
listed in left_out.csv. Of several instances each writes its share of the rows.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

import boto3

from analysis.dataset.reading import read_dataset
from analysis.features.stored import EVENT_TIME, StoredFeatures, StoredGroups, stored_groups
from analysis.ingestion.calls import store_client
from analysis.ingestion.feature_file import FeatureFile
from analysis.ingestion.ingest import Ingestion, Target
from analysis.ingestion.left_out import LeftOut
from analysis.ingestion.sharing import RESOURCES, read_share
from analysis.runtime.aws import client_settings
from analysis.runtime.container import INPUT, OUTPUT, Arguments, existing_file, run_step
from analysis.runtime.errors import SettingsError
from analysis.runtime.names import INPUTS_FILE, OUTCOMES_FILE
from analysis.runtime.upload import read_claim
from analysis.runtime.versions import superseded


def targets_of(request: Namespace, stored: StoredGroups) -> Iterator[Target]:
    """Yield the files that are there, with the feature group of each."""
    yield Target(_file(request.input_dir / INPUTS_FILE, stored.inputs), request.inputs_group_name)
    if (request.input_dir / OUTCOMES_FILE).exists():
        yield Target(_file(request.input_dir / OUTCOMES_FILE, stored.outcomes), request.outcomes_group_name)


def _file(path: Path, stored: StoredFeatures) -> FeatureFile:
    return FeatureFile(path, stored.identifier, stored.types.keys() - {EVENT_TIME})


def main(arguments: Sequence[str]) -> None:
    """Run the step."""
    started = time.monotonic()
    parser = Arguments(__doc__)
    parser.add_dataset()
    parser.add_path(
        "--input-dir", INPUT / "feature_store", f"holds {INPUTS_FILE}, and {OUTCOMES_FILE} if any are known"
    )
    parser.add_path("--claim-dir", INPUT / "claim", "holds claim.json")
    parser.add_path("--output-dir", OUTPUT / "ingest", "gets left_out.csv, if records are left out")
    parser.add_path("--resources-file", RESOURCES, "names the job's instances")
    parser.add_argument("--inputs-group-name", required=True, help=f"feature group that gets {INPUTS_FILE}")
    parser.add_argument("--outcomes-group-name", required=True, help=f"feature group that gets {OUTCOMES_FILE}")
    parser.add_argument(
        "--target-stores",
        nargs="+",
        default=(),
        choices=("OnlineStore", "OfflineStore"),
        help="by default all",
    )
    parser.add_argument("--workers", type=int, default=4, help="calls at the same time")
    parser.add_argument("--deadline-seconds", type=int, default=3000, help="when writing ends, finished or not")
    parser.add_argument("--most-left-out", type=int, default=0, help="records that may be left out without a failure")
    request = parser.parse_args(arguments)
    for name, least in (("workers", 1), ("deadline_seconds", 1), ("most_left_out", 0)):
        if getattr(request, name) < least:
            raise SettingsError(f"--{name.replace('_', '-')} {getattr(request, name)}: at least {least} is needed.")
    claim, share = read_claim(request.claim_dir), read_share(request.resources_file)
    if claim.schedule:
        print("ingest:records=0; (a schedule started the run, and no file landed)")
        return
    targets = [*targets_of(request, stored_groups(read_dataset(existing_file(request.dataset, "The declaration"))))]
    reason = superseded(boto3.client("s3", **client_settings()), claim)
    if reason is not None:
        print(f"ingest:records=0; (superseded: {reason})")
        return
    client, deadline = store_client(request.workers), started + request.deadline_seconds
    ingestion = Ingestion(client, claim.uploaded_at, request.workers, deadline, share, request.target_stores)
    with LeftOut(request.output_dir / share.name if share.of > 1 else request.output_dir) as left_out:
        result = ingestion.run(targets, left_out)
    print(f"ingest:records={sum(result.written)}; {result.in_words()}")
    result.check(request.most_left_out)


if __name__ == "__main__":
    from analysis.runtime.tables import leave_pandas_out

    leave_pandas_out()
    run_step(main)
