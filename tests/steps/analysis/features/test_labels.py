"""The cells by which people find a row again."""

from __future__ import annotations

from analysis.checking.identity import row_identities
from analysis.checking.purpose import Purpose
from analysis.features.labels import label_names, row_labels
from analysis.runtime.names import PREDICTED
from pipeline.datasets.shipped import declared
from pipeline.demo.sample import sample_rows
from tests.steps.analysis.checking.batches import checked, readings, towns

BIKES, WINE = declared("bike_sharing"), declared("red_wine")


def labels_of(rows, dataset):
    found = checked(rows, dataset, Purpose.SCORING).rows
    return row_labels(found, dataset, row_identities(found, dataset))


def test_a_day_goes_by_its_date() -> None:
    assert label_names(BIKES) == {"dteday": "date"}
    assert labels_of(sample_rows(rows=2), BIKES).to_pydict() == {"date": ["2018-01-01", "2018-01-02"]}


def test_a_key_and_a_moment() -> None:
    assert label_names(towns()) == {"town": "town", "at": "time"}
    labels = labels_of(readings(2)[::-1], towns())
    assert labels.to_pydict() == {"town": ["B", "A"], "time": ["2024-05-01 00:30:00", "2024-05-01 01:30:00"]}


def test_without_a_key_a_row_goes_by_its_content_and_its_line() -> None:
    rows = sample_rows(rows=3, dataset=WINE)
    labels = labels_of([*rows, rows[0]], WINE).to_pydict()
    assert list(labels) == ["record", "line"]
    assert labels["line"] == [2, 3, 4, 5]
    first, *_, again = labels["record"]
    assert (first.rpartition("-")[0], first[-2:], again[-2:]) == (again.rpartition("-")[0], "-0", "-1")


def test_a_label_never_has_the_name_of_another_column_of_predictions() -> None:
    columns = {
        "prediction": {"kind": "identifier"},
        "Größe": {"kind": "identifier"},
        "day": {"kind": "date", "formats": {"standard": ["yyyy-mm-dd"]}},
        "load": {"kind": "measure"},
    }
    named = label_names(towns(columns=columns, rules=None, parts=None, key=["prediction", "Größe"], time="day"))
    assert named["day"] == "date"
    assert named["Größe"] == "Groe"
    assert not {name.casefold() for name in named.values()} & set(PREDICTED)
    assert len(set(named.values())) == len(named)
