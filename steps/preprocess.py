"""Turn one raw CSV file into checked model inputs.

Below the output directory: train/train.parquet, train/source.json and test/test.parquet, each side with the cells that
name its rows in labels.parquet, and what test rows are made of in test/sources.parquet (training only);
scoring/features.csv (no header, one line a row, the model's input columns in order); rows/rows.csv (what names the row,
its actual value, and as row_role whether the model is trained or tested on it or it is new, for the same rows in the
same order); feature_store/inputs.parquet and, where a row has a target, outcomes.parquet; quality/quality.json. Rows
are sorted by time and key, where the data set has them.

For a profile with features of the past, features.csv and labels.parquet end with the column history_gap, which rows.csv
has before row_role, and train/gaps.parquet has the training rows' features of the past as they would be with larger
gaps. Rows without any earlier value are in feature_store/inputs.parquet alone.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from analysis.checking.limits import add_limits, limits_of
from analysis.checking.purpose import Purpose
from analysis.dataset.columns import Missing
from analysis.dataset.reading import read_dataset
from analysis.features.profiles import Profile, Variant, profile_of
from analysis.runtime.container import INPUT, OUTPUT, Arguments, existing_file, run_step
from analysis.runtime.errors import SettingsError
from analysis.runtime.upload import CLAIM_FILE, INPUT_FILE, read_claim

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from analysis.dataset.declaration import Dataset
    from analysis.features.preparation import Preparation
    from analysis.model.artefact import LinearModel

DECLARED = "declared"
FILE, HISTORY = "file", "history"


def requested(arguments: Sequence[str]) -> Namespace:
    """Parse the arguments."""
    parser = Arguments(__doc__)
    add = parser.add_argument
    parser.add_dataset()
    parser.add_path("--input-file", INPUT / "raw" / INPUT_FILE, "the raw file")
    parser.add_path("--claim-dir", INPUT / "claim", "may hold claim.json, which says what the file is called")
    parser.add_path("--history-dir", INPUT / "history", "may hold what read_history.py has read")
    parser.add_path("--model-dir", INPUT / "model", "model.tar.gz to prepare rows for, where they are to be scored")
    add("--purpose", type=Purpose, choices=list(Purpose), default=Purpose.TRAINING, help="what for")
    add("--profile", default=DECLARED, help="which columns the model gets; by default the first declared profile")
    add("--measures", choices=[DECLARED, "numbers", "bins"], default=DECLARED, help="how the model gets numbers")
    add("--first-levels", choices=[DECLARED, "drop", "keep"], default=DECLARED, help="dummies of reference levels")
    add("--train-on", choices=[FILE, HISTORY], default=FILE, help="whether all earlier rows are trained on, too")
    add("--train-fraction", type=float, default=0.7, help="share of rows to train on")
    add("--random-state", type=int, default=333, help="seed of the split")
    add("--drift-threshold", type=float, default=0.25, help="PSI above which a feature of rows to score has drifted")
    drift_help = "what to do where features have drifted from the training rows of the model"
    add("--drift-action", choices=["warn", "fail"], default="warn", help=drift_help)
    add("--largest-expanded-mib", type=int, default=512, help="a gzip file that expands to more MiB is refused")
    parser.add_path("--output-dir", OUTPUT, "gets one directory for each output")
    add_limits(parser)
    return parser.parse_args(arguments)


def refuse_without_model(dataset: Dataset, archive_file: Path) -> None:
    """Raise SettingsError where rows to score need what was learned on training rows, and there is no model to tell."""
    learned = [
        name
        for name, column in dataset.columns.items()
        if column.missing is Missing.FILL or (column.bins is not None and column.bins.quantiles is not None)
    ]
    if learned:
        raise SettingsError(
            f"{archive_file} is missing: what stands for empty cells or parts bins of {', '.join(learned)} was learned "
            "on training rows. Give the model's folder with --model-dir."
        )


def chosen(request: Namespace, dataset: Dataset) -> tuple[Profile, Variant, Preparation | None, LinearModel | None]:
    """Return profile and variant as asked for, or those of the model that is to score; what it has learned; itself."""
    archive_file = request.model_dir / "model.tar.gz"
    if request.purpose is Purpose.TRAINING or not archive_file.is_file():
        if request.purpose is Purpose.SCORING:
            refuse_without_model(dataset, archive_file)
        variant = Variant(
            first_levels=None if request.first_levels == DECLARED else request.first_levels == "keep",
            binned=None if request.measures == DECLARED else request.measures == "bins",
        )
        name = next(iter(dataset.profiles)) if request.profile == DECLARED else request.profile
        return profile_of(dataset, name, variant), variant, None, None
    from analysis.model.archive import read_archive
    from analysis.model.inputs import inputs_of

    model = read_archive(archive_file).model
    return *inputs_of(model, dataset), model


def drift_from(model: LinearModel, threshold: float) -> Callable[[pa.Table, pa.Table], dict[str, Any]]:
    """Return what compares the model's inputs, and the rows that they are made of, with its training rows."""
    from analysis.evaluation.drift import drift_report
    from analysis.features.transform import missing_shares

    def compared(inputs: pa.Table, rows: pa.Table) -> dict[str, Any]:
        columns = {name: inputs[name].to_numpy() for name in inputs.column_names}
        return drift_report(model, columns, missing_shares(rows, rows.column_names), threshold)

    return compared


def main(arguments: Sequence[str]) -> None:
    """Run the step."""
    request = requested(arguments)
    dataset = read_dataset(existing_file(request.dataset, "The declaration of the data set"))
    # Imported here so that --help and a wrong call are answered at once.
    from analysis.checking.checks import history_alone
    from analysis.checking.raw_file import checked_file
    from analysis.features.history import in_words as past_in_words
    from analysis.features.prepared import write_prepared
    from analysis.features.read_back import read_history
    from analysis.reading.source import MIB, Expansion
    from analysis.runtime.drift import in_words, refuse_drift

    profile, variant, learned, model = chosen(request, dataset)
    training = request.purpose is Purpose.TRAINING
    path = existing_file(request.input_file, "The input file")
    claim = read_claim(request.claim_dir) if (request.claim_dir / CLAIM_FILE).is_file() else None
    trains_on_history = training and request.train_on == HISTORY
    history = read_history(request.history_dir, dataset) if profile.past or trains_on_history else None
    trained_on = history if trains_on_history else None
    if trains_on_history and history is None:
        raise SettingsError(f"{request.history_dir} holds no history to train on. Give what read_history.py has read.")
    stand_in = {Missing.FILL, Missing.PLACEHOLDER}
    needed = tuple(name for name in profile.sources if dataset.columns[name].missing not in stand_in)
    answers = [name for name in profile.past_sources if name in dataset.answers]
    required = (*needed, *answers, dataset.target) if training else needed
    removes_columns, limits = training and profile.selects, limits_of(request)
    if trained_on is not None and claim is not None and claim.schedule:
        # No file has landed: the claim's is empty.
        checked = history_alone(
            trained_on, dataset, claim.key, required=required, limits=limits, removes_columns=removes_columns
        )
    else:
        checked = checked_file(
            path,
            dataset,
            request.purpose,
            required=required,
            limits=limits,
            repeated_rows=profile.repeated_rows if training else dataset.repeated_rows,
            ranges=None if learned is None else learned.ranges,
            removes_columns=removes_columns,
            name=path.name if claim is None else claim.key,
            expansion=Expansion(most=request.largest_expanded_mib * MIB),
            history=trained_on,
        )
    drift = None if model is None else drift_from(model, request.drift_threshold)
    write_prepared(
        checked, request, dataset, profile, variant=variant, preparation=learned, history=history, drift=drift
    )
    rows = checked.report["rows"]
    print(f"preprocess: {rows['used']} of {rows['read']} rows, profile {profile.name}, form {checked.report['form']}")
    if known := checked.report["history"]:
        print(f"preprocess: with {known['rows']} rows of the history as of {known['as_of']}")
    if "past" in checked.report:
        print(f"preprocess: features of the past: {past_in_words(checked.report['past'])}")
    if model is not None:
        print(f"preprocess: drift: {in_words(checked.report['drift'])}")
        if request.drift_action == "fail":
            refuse_drift(checked.report["file"], checked.report["drift"])


if __name__ == "__main__":
    from analysis.runtime.tables import leave_pandas_out

    leave_pandas_out()
    run_step(main)
