"""Turn one raw CSV file into checked model inputs.

Below the output directory: train/train.csv, train/source.json and test/test.csv, each side with the cells that name its
rows in labels.csv (training only); scoring/features.csv (no header, one line a row, the model's input columns in
order); rows/rows.csv (what names the row, and its actual value, for the same rows in the same order);
feature_store/features.csv; quality/quality.json. Rows are sorted by time and key, where the data set has them.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

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

    from analysis.dataset.declaration import Dataset
    from analysis.features.preparation import Preparation

DECLARED = "declared"


def requested(arguments: Sequence[str]) -> Namespace:
    """Parse the arguments."""
    parser = Arguments(__doc__)
    add = parser.add_argument
    parser.add_dataset()
    parser.add_path("--input-file", INPUT / "raw" / INPUT_FILE, "the raw file")
    parser.add_path("--claim-dir", INPUT / "claim", "may hold claim.json, which says what the file is called")
    parser.add_path("--model-dir", INPUT / "model", "model.tar.gz to prepare rows for, where they are to be scored")
    add("--purpose", type=Purpose, choices=list(Purpose), default=Purpose.TRAINING, help="what for")
    add("--profile", default=DECLARED, help="which columns the model gets; by default the first declared profile")
    add("--measures", choices=[DECLARED, "numbers", "bins"], default=DECLARED, help="how the model gets numbers")
    add("--first-levels", choices=[DECLARED, "drop", "keep"], default=DECLARED, help="dummies of reference levels")
    add("--train-fraction", type=float, default=0.7, help="share of rows to train on")
    add("--random-state", type=int, default=333, help="seed of the split")
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


def chosen(request: Namespace, dataset: Dataset) -> tuple[Profile, Variant, Preparation | None]:
    """Return profile and variant as asked for, or as the model has them that is to score, and what it has learned."""
    archive_file = request.model_dir / "model.tar.gz"
    if request.purpose is Purpose.TRAINING or not archive_file.is_file():
        if request.purpose is Purpose.SCORING:
            refuse_without_model(dataset, archive_file)
        variant = Variant(
            first_levels=None if request.first_levels == DECLARED else request.first_levels == "keep",
            binned=None if request.measures == DECLARED else request.measures == "bins",
        )
        name = next(iter(dataset.profiles)) if request.profile == DECLARED else request.profile
        return profile_of(dataset, name, variant), variant, None
    from analysis.model.archive import read_archive
    from analysis.model.inputs import inputs_of

    return inputs_of(read_archive(archive_file).model, dataset)


def main(arguments: Sequence[str]) -> None:
    """Run the step."""
    request = requested(arguments)
    dataset = read_dataset(existing_file(request.dataset, "The declaration of the data set"))
    # Imported here so that --help and a wrong call are answered at once.
    from analysis.checking.raw_file import checked_file
    from analysis.features.prepared import write_prepared
    from analysis.reading.source import MIB, Expansion

    profile, variant, learned = chosen(request, dataset)
    training = request.purpose is Purpose.TRAINING
    path = existing_file(request.input_file, "The input file")
    name = read_claim(request.claim_dir).key if (request.claim_dir / CLAIM_FILE).is_file() else path.name
    stand_in = {Missing.FILL, Missing.PLACEHOLDER}
    needed = tuple(name for name in profile.sources if dataset.columns[name].missing not in stand_in)
    checked = checked_file(
        path,
        dataset,
        request.purpose,
        required=(*needed, dataset.target) if training else needed,
        limits=limits_of(request),
        repeated_rows=profile.repeated_rows if training else dataset.repeated_rows,
        ranges=None if learned is None else learned.ranges,
        removes_columns=training and profile.selects,
        name=name,
        expansion=Expansion(most=request.largest_expanded_mib * MIB),
    )
    write_prepared(checked, request, dataset, profile, variant=variant, preparation=learned)
    rows = checked.report["rows"]
    print(f"preprocess: {rows['used']} of {rows['read']} rows, profile {profile.name}, form {checked.report['form']}")


if __name__ == "__main__":
    run_step(main)
