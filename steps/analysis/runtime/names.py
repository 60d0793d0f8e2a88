"""Names on which steps, the model that they leave and its predictions agree."""

import re

HISTORY_GAP = "history_gap"
"""How far the newest known values lie behind those that a row's features of the past need."""
SOURCES_FILE = "sources.parquet"
"""Beside the test rows: the columns of the table that they are made of, to measure another model on the same rows."""

LABELS_FILE, GAPS_FILE = "labels.parquet", "gaps.parquet"
"""Beside training and test rows: what names each of them; features of the past as they are with larger gaps."""
INPUTS_FILE, OUTCOMES_FILE = "inputs.parquet", "outcomes.parquet"
"""What goes to the Feature Store."""

ROW_ROLE = "row_role"
TRAINED, TESTED, NEW = "train", "test", "new"
"""Values of `row_role`: a row that the model was fitted on, one that it was measured on, and any other."""
ACTUAL = "actual"
RECORD, LINE = "record", "line"
"""What names a row of a table without a key: an identifier made of its inputs, and its line in the sender's file."""
PREDICTED = (
    *("prediction", "lower_95", "upper_95", ACTUAL),
    *("model_version", "execution_id", "source_key", "extrapolated", HISTORY_GAP),
    *(ROW_ROLE, "model_status", "uploaded_at"),
)
"""Columns of the prediction file after those that name the row; `actual` is empty where it is not known yet.
`extrapolated` is 1 where an input lies outside its training range, else 0, and empty for models that do not know their
ranges. `history_gap` says how far the newest known values lie behind those that the row needs, and is empty for models
without features of the past. `model_status` is the approval status of the version when the file was first published,
`uploaded_at` the moment of the upload. A new column comes last: Athena tells columns by their position, in the files of
before, too."""
REALISED = (
    *("prediction", "lower_95", "upper_95", ACTUAL, "model_version", "execution_id", "source_key"),
    *("predicted_at", "known_at"),
)
"""Columns of a file of realised results after those that name the row: `execution_id`, `source_key` and `predicted_at`
are of the prediction, `known_at` is the moment of the upload that brought the outcome."""
PROFILE_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}(?<!-latest)")
"""A profile's name is that of a folder and, with underscores, of a table; the table's view is called …_latest."""
