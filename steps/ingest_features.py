"""Write each row's features to the Feature Store, once for each upload.

The record identifier names the row, the event time is the moment of the upload, so that writing again changes
nothing and a newer upload replaces an older one. A version that is not the newest any more is not written. Calls
BatchWriteRecord, or PutRecord where the installed botocore is too old to have it (the scikit-learn image 1.9-0 has it).
"""

from __future__ import annotations

from collections.abc import Sequence

import boto3

from analysis.dataset.reading import read_dataset
from analysis.features.feature_store import batch_writer, records_of, single_writer, write_all
from analysis.features.stored import stored_features
from analysis.runtime.aws import client_settings
from analysis.runtime.container import INPUT, Arguments, existing_file, run_step
from analysis.runtime.errors import IngestError, SettingsError
from analysis.runtime.files import read_frame
from analysis.runtime.upload import read_claim
from analysis.runtime.versions import superseded


def main(arguments: Sequence[str]) -> None:
    """Run the step."""
    parser = Arguments(__doc__)
    parser.add_dataset()
    parser.add_path("--input-dir", INPUT / "feature_store", "holds features.csv")
    parser.add_path("--claim-dir", INPUT / "claim", "holds claim.json")
    parser.add_argument("--feature-group-name", required=True, help="feature group that gets the records")
    parser.add_argument("--workers", type=int, default=4, help="calls at the same time")
    request = parser.parse_args(arguments)
    if request.workers < 1:
        raise SettingsError(f"--workers {request.workers}: at least 1 is needed.")
    claim = read_claim(request.claim_dir)
    stored = stored_features(read_dataset(existing_file(request.dataset, "The declaration of the data set")))
    rows = read_frame(existing_file(request.input_dir / "features.csv", "The feature file"), text=True)
    if rows.empty:
        raise IngestError("features.csv has no rows.")
    if stored.identifier in rows.columns and rows[stored.identifier].duplicated().any():
        raise IngestError(f"features.csv has a {stored.identifier} twice; each may appear only once.")
    reason = superseded(boto3.client("s3", **client_settings()), claim)
    if reason is not None:
        print(f"ingest:records=0; (superseded: {reason})")
        return
    client = boto3.client("sagemaker-featurestore-runtime", **client_settings(request.workers))
    batched = hasattr(client, "batch_write_record")
    group: str = request.feature_group_name
    write = batch_writer(client, group, stored.identifier) if batched else single_writer(client, group)
    written = write_all(records_of(rows, claim.uploaded_at, stored), write, request.workers)
    print(f"ingest:records={written}; ({'BatchWriteRecord' if batched else 'PutRecord'}, feature group {group})")


if __name__ == "__main__":
    run_step(main)
