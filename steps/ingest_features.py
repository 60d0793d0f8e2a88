"""Write each day's features to the Feature Store, once for each upload.

The record identifier is the day (`dteday`), the event time the moment of the upload, so that doing it again changes
nothing and a newer upload replaces an older one. Calls BatchWriteRecord, or PutRecord where the installed botocore is
too old to have it (the scikit-learn image 1.9-0 has it).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.features.profiles import STORED_FEATURES
from analysis.features.records import Record, Refusal, batch_writer, record_of, single_writer
from analysis.reading.columns import DATE
from analysis.runtime.aws import feature_store_client
from analysis.runtime.claim_file import read_claim
from analysis.runtime.container import PROCESSING, PROCESSING_MESSAGE, Arguments, existing_file, run_step
from analysis.runtime.errors import IngestError, SettingsError
from analysis.runtime.frames import read_frame

if TYPE_CHECKING:
    import pandas as pd

BATCH = 25
"""Records in one BatchWriteRecord call: the service's limit."""
_SHOWN = 5

Writer = Callable[[Sequence[Record]], list[Refusal]]


def records_of(rows: pd.DataFrame, event_time: str) -> list[Record]:
    """One record a row; raises SettingsError where the file was not written by preprocess.py for this schema."""
    expected = [name for name in STORED_FEATURES if name != "event_time"]
    if sorted(rows.columns) != sorted(expected):
        raise SettingsError(
            f"features.csv has the columns {', '.join(rows.columns)}; the feature group has {', '.join(expected)}."
        )
    return [
        record_of({**{str(name): str(value) for name, value in row.items()}, "event_time": event_time}, line)
        for line, row in enumerate(rows.to_dict("records"), start=2)
    ]


def write_all(records: Sequence[Record], write: Writer, workers: int) -> int:
    """Write every record, several batches at a time; the number written.

    Raises IngestError naming the first refused rows. The others are written by then; writing again is harmless.
    """
    batches = [records[start : start + BATCH] for start in range(0, len(records), BATCH)]
    with ThreadPoolExecutor(max_workers=workers) as pool:
        refusals = [refusal for result in pool.map(write, batches) for refusal in result]
    if refusals:
        shown = "; ".join(
            f"row {refusal.record.line} ({refusal.record.identifier}): {refusal.reason}"
            for refusal in refusals[:_SHOWN]
        )
        more = f"; and {len(refusals) - _SHOWN} more" if len(refusals) > _SHOWN else ""
        raise IngestError(
            f"The Feature Store refused {len(refusals)} of {len(records)} records: {shown}{more}. "
            "Records may be written again without harm: retry the execution once the cause is mended."
        )
    return len(records)


def main(arguments: Sequence[str]) -> None:
    parser = Arguments(__doc__, PROCESSING_MESSAGE)
    inputs = PROCESSING / "input"
    parser.add_argument("--input-dir", type=Path, default=inputs / "feature_store", help="holds features.csv")
    parser.add_argument("--claim-dir", type=Path, default=inputs / "claim", help="holds claim.json")
    parser.add_argument("--feature-group-name", required=True, help="feature group that gets the records")
    parser.add_argument("--workers", type=int, default=4, help="calls at the same time")
    request = parser.parse_args(arguments)
    if request.workers < 1:
        raise SettingsError(f"--workers {request.workers}: at least 1 is needed.")
    claim = read_claim(request.claim_dir)
    if not claim.uploaded_at:
        raise SettingsError("claim.json has no upload time: its file was not there, so there is nothing to ingest.")
    rows = read_frame(existing_file(request.input_dir / "features.csv", "The feature file"), text=True)
    if rows.empty:
        raise IngestError("features.csv has no rows.")
    if rows[DATE].duplicated().any():
        raise IngestError("features.csv has a day twice; each day may stand once.")
    client = feature_store_client(connections=request.workers)
    batched = hasattr(client, "batch_write_record")
    group: str = request.feature_group_name
    write = batch_writer(client, group) if batched else single_writer(client, group)
    written = write_all(records_of(rows, claim.uploaded_at), write, request.workers)
    print(f"ingest:records={written}; ({'BatchWriteRecord' if batched else 'PutRecord'}, feature group {group})")


if __name__ == "__main__":
    run_step(main, PROCESSING_MESSAGE)
