"""The declarations that come with the project."""

from functools import cache
from pathlib import Path

from analysis.dataset.declaration import Dataset
from analysis.dataset.reading import read_dataset


def _datasets_folder() -> Path:
    """Return the declarations' folder: beside the package in a checkout, inside it in a wheel."""
    packaged = Path(__file__).parents[1] / "_datasets"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "datasets"


DATASETS_FOLDER = _datasets_folder()
DEFAULT_DATASET = "bike_sharing"


def dataset_names() -> list[str]:
    """Return the declarations that there are."""
    return sorted(path.stem for path in DATASETS_FOLDER.glob("*.toml"))


def declaration_file(name: str) -> Path:
    """Return the file of a declaration, which need not exist: one of ``datasets/``, or a path to another."""
    return Path(name) if name.endswith(".toml") else DATASETS_FOLDER / f"{name}.toml"


@cache
def declared(name: str) -> Dataset:
    """Return a declaration by the name of its file, or its path."""
    return read_dataset(declaration_file(name))
