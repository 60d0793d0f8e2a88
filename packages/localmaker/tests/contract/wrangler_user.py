"""What someone does with predictions in a notebook. Argument: ``{"bucket": ...}``; prints what came out, as JSON."""

import json
import sys

import awswrangler as wr

bucket = json.loads(sys.argv[1])["bucket"]
predictions = f"s3://{bucket}/predictions/"

frame = wr.s3.read_csv(predictions, dataset=True).sort_values("date").reset_index(drop=True)
frame["dt"] = frame["dt"].astype(str)
one = wr.s3.read_csv(predictions, dataset=True, partition_filter=lambda partition: partition["dt"] == "2026-01-02")

wr.s3.to_csv(frame, f"s3://{bucket}/exports/predictions.csv", index=False)
written = wr.s3.list_objects(f"s3://{bucket}/exports/")
wr.s3.to_parquet(frame, f"s3://{bucket}/parquet/", dataset=True, partition_cols=["dt"])
parquet = wr.s3.read_parquet(f"s3://{bucket}/parquet/", dataset=True).sort_values("date")
parquet["dt"] = parquet["dt"].astype(str)
wr.s3.delete_objects(f"s3://{bucket}/parquet/")

print(
    json.dumps(
        {
            "read": frame.values.tolist(),
            "one partition": len(one),
            "parquet": parquet.values.tolist(),
            "written": [path.removeprefix(f"s3://{bucket}/") for path in written],
            "deleted": wr.s3.list_objects(f"s3://{bucket}/parquet/"),
        }
    )
)
