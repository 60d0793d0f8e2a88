"""Features read back from the Feature Store's offline store, as they were known at a moment.

>>> read_features(aws, as_of=datetime(2026, 11, 1, tzinfo=UTC))  # every row, as of that day
>>> read_features(aws, asked)  # the rows of `asked`, each as of its own moment
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from analysis.history.queries import POSITION, GroupTable, Spine, history_query, training_set_query
from analysis.runtime.errors import SettingsError as NoTableError
from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.wrangler import configured_wrangler
from pipeline.errors import ExecutionError

if TYPE_CHECKING:
    import pandas as pd

#: Columns of a table that asks for rows.
IDENTIFIER, MOMENT = "identifier", "moment"


def read_features(aws: Aws, asked: pd.DataFrame | None = None, *, as_of: datetime | None = None) -> pd.DataFrame:
    """Return what was known of each row: inputs, and outcomes as far as they were known.

    It is correct for its point in time: of each record the newest that was not uploaded after the moment, and none
    where it was deleted by then. So a model that is trained on it knows nothing that was not known.

    Args:
        asked: which rows, each with its moment: columns ``identifier`` (record identifier) and ``moment`` (aware). The
            answer has the same rows in the same order; what was not known is missing.
        as_of: instead, the moment for all records there are; now by default.

    Raises:
        ExecutionError: there is no offline store, Athena refuses, or a moment has no time zone.
    """
    inputs, outcomes = _tables(aws)
    names = dict.fromkeys([*inputs.columns, *outcomes.columns])
    if asked is None:
        found = _run(aws, history_query(inputs, outcomes, _iso(as_of or datetime.now(UTC))), names)
    else:
        with _uploaded(aws, asked) as spine:
            found = _run(aws, training_set_query(inputs, outcomes, spine), [POSITION, *names])
        # Athena writes files at the same time, in no order among each other.
        found = found.sort_values(POSITION).drop(columns=POSITION).set_axis(asked.index)
    # Athena answers in small letters.
    return found.rename(columns={name.lower(): name for group in (inputs, outcomes) for name in group.features})


def _tables(aws: Aws) -> list[GroupTable]:
    names = (aws.settings.inputs_group_name, aws.settings.outcomes_group_name)
    with aws_errors("Looking at the feature groups", aws, ExecutionError):
        described = [aws.sagemaker.describe_feature_group(FeatureGroupName=name) for name in names]
    try:
        return [GroupTable.of(one) for one in described]
    except NoTableError as error:
        raise ExecutionError(str(error)) from error


def _iso(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ExecutionError(f"The moment {moment} has no time zone.", "Give it one, such as datetime.UTC.")
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def _run(aws: Aws, query: str, columns: Iterable[str]) -> pd.DataFrame:
    import pandas as pd

    settings = aws.settings
    with configured_wrangler(aws) as wrangler, aws_errors("Reading features with Athena", aws, ExecutionError):
        try:
            found: pd.DataFrame = wrangler.athena.read_sql_query(
                query,
                database=settings.database_name,
                # Parquet keeps the types; nothing is left in the catalog.
                ctas_approach=False,
                unload_approach=True,
                s3_output=_place(aws),
                workgroup=settings.features.athena_work_group,
                keep_files=False,
                boto3_session=aws.boto3_session(),
            )
        except wrangler.exceptions.EmptyDataFrame:  # UNLOAD writes no file for no rows
            return pd.DataFrame(columns=list(columns))
        except (
            wrangler.exceptions.InvalidArgumentValue,  # what Athena refuses at once
            wrangler.exceptions.QueryFailed,
            wrangler.exceptions.QueryCancelled,
        ) as error:
            raise ExecutionError(f"Athena could not read the features: {error}") from error
    return found


@contextmanager
def _uploaded(aws: Aws, asked: pd.DataFrame) -> Iterator[Spine]:
    """Make a table of what is asked for, which Athena can join; it is gone afterwards."""
    import pandas as pd

    session, database = aws.boto3_session(), aws.settings.database_name
    rows = pd.DataFrame(
        {
            POSITION: range(len(asked)),
            "identifier": asked[IDENTIFIER].astype(str),
            "moment": [_iso(moment) for moment in asked[MOMENT]],
        }
    )
    name, place = f"asked_{uuid.uuid4().hex}", _place(aws)
    with configured_wrangler(aws) as wrangler, aws_errors("Uploading what is asked for", aws, ExecutionError):
        wrangler.s3.to_parquet(
            rows, path=place, index=False, dataset=True, database=database, table=name, boto3_session=session
        )
    try:
        yield Spine(database, name)
    finally:
        with configured_wrangler(aws) as wrangler, aws_errors("Removing what was asked for", aws, ExecutionError):
            wrangler.catalog.delete_table_if_exists(database=database, table=name, boto3_session=session)
            wrangler.s3.delete_objects(place, boto3_session=session)


def _place(aws: Aws) -> str:
    """Return a new folder, which expires with those of executions should it stay behind."""
    return f"s3://{aws.settings.artifacts_bucket}/runs/features/{uuid.uuid4()}/"
