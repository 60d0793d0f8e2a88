from __future__ import annotations

import ast
import math
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import inference
import localmaker.images
import train
from analysis.model.artefact import Bounds, Calibration, LinearModel, Predictions
from analysis.runtime.errors import ModelError

FINITE = st.floats(allow_nan=False, allow_infinity=False)
MODEL = LinearModel(
    profile="forecast",
    target="cnt",
    input_columns=("a", "b"),
    selected=("b",),
    intercept=1.0,
    coefficients=(2.0,),
    bounds={"b": Bounds(0.0, 4.0)},
    residual_variance=1.0,
    residual_degrees_of_freedom=10,
    covariance=((0.1, 0.0), (0.0, 0.1)),
    interval_level=0.95,
    t_quantile=2.228,
)


def answer(body: str | bytes) -> list[list[float]]:
    text, kind = inference.output_fn(inference.predict_fn(inference.input_fn(body, "text/csv"), MODEL), "text/csv")
    assert kind == "text/csv"
    assert not text.endswith("\n")
    return [[float(value) for value in line.split(",")] for line in text.split("\n")]


def test_the_model_is_read_from_its_directory(tmp_path) -> None:
    (tmp_path / "model.json").write_text(MODEL.to_json())
    assert inference.model_fn(str(tmp_path)) == MODEL


@pytest.mark.parametrize("body", ["9,2\n9,4\n", b"9,2\n9,4", "9,2\r\n9,4\r\n", bytearray(b"9.0,2.0\n9,4e0")])
def test_a_line_a_row(body) -> None:
    assert [line[0] for line in answer(body)] == [2.0, 3.0]


def test_the_history_gap_comes_last_and_widens_the_interval() -> None:
    calibration = Calibration("split conformal", 1.0, 90, ((0, 1.0), (4, 3.0)))
    model = replace(MODEL, has_past=True, calibration=calibration)
    found = inference.predict_fn(inference.input_fn("9,2,0\n9,2,2\n9,2,9\n"), model)
    assert (found.upper - found.lower).tolist() == [2.0, 4.0, 6.0]
    for body in ("9,2\n", "9,2,0,0\n", "9,2,-1\n"):
        with pytest.raises(ModelError):
            inference.predict_fn(inference.input_fn(body), model)


def test_one_row() -> None:
    ((prediction, lower, upper),) = answer("0,4")
    half = 2.228 * math.sqrt(1.0 + 0.1 + 0.1)
    assert prediction == 3.0
    assert (lower, upper) == pytest.approx((3.0 - half, 3.0 + half), rel=1e-15)


def test_rows_outside_the_training_ranges_are_marked() -> None:
    model = replace(MODEL, ranges={"a": Bounds(0.0, 9.0), "b": Bounds(0.0, 4.0)})
    body, _ = inference.output_fn(inference.predict_fn(inference.input_fn("9,4\n9,4.5\n-1,0"), model))
    assert [line.split(",")[3] for line in body.split("\n")] == ["0", "1", "1"]


@settings(deadline=None)
@given(st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=20))
def test_numbers_arrive_bit_for_bit(values) -> None:
    body = "\n".join(f"{a!r},{b!r}" for a, b in values)
    assert [tuple(v.hex() for v in row) for row in inference.input_fn(body).tolist()] == [
        (a.hex(), b.hex()) for a, b in values
    ]


@given(st.lists(FINITE, min_size=1, max_size=20))
def test_numbers_leave_bit_for_bit(values) -> None:
    array = np.array(values)
    text, _ = inference.output_fn(Predictions(array, array, array))
    assert [float(line.split(",")[2]).hex() for line in text.split("\n")] == [value.hex() for value in values]


@given(st.lists(st.tuples(FINITE, st.floats(1e-5, 2e-4), st.floats(1e8, 1e18), st.booleans()), min_size=1, max_size=20))
def test_numbers_are_written_as_python_writes_them(rows) -> None:
    *columns, marks = map(np.array, zip(*rows, strict=True))
    text, _ = inference.output_fn(Predictions(*columns, marks))
    assert text.split("\n") == [",".join(map(repr, (*numbers, int(mark)))) for *numbers, mark in rows]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "no rows"),
        (" \n", "no rows"),
        ("a,b\n1,2", "not a table of numbers"),
        ("1,2\n1,", "Row 2 of the request, value 2"),
        ("1,inf", "Row 1 of the request, value 2"),
        ("1,2\n1,2,3", "not a table of numbers"),
        (b"\xff,1", "utf-8"),
        ("1,2\n1\x002,3", r"Row 2 of the request, value 1, is '1\\x002'"),
        ("1,2\r\n3,True", "Row 2 of the request, value 2, is 'True'"),
        ("1e400,2", "Row 1 of the request, value 1, is '1e400'"),
        ("1,\u0661", "Row 1 of the request, value 2, is '\u0661'"),
        ("1,0x10", "Row 1 of the request, value 2, is '0x10'"),
        (f"1,{'9' * 400}", "Row 1 of the request, value 2, is '999"),
        ("1;2", "Row 1 of the request, value 1, is '1;2'"),
        ("1,2\n\n3,4", "Row 2 of the request, value 1"),
        ("\n\r\n1,2", "Row 1 of the request, value 1"),
        ("1\n \n2", "Row 2 of the request, value 1"),
        ("1,2\n3", "Row 2 of the request has 1 values, the first one 2"),
        ('"1,2"\n"3,4"', r"Row 1 of the request, value 1, is '\"1'"),
        ('1,"2\n3",4', r"Row 1 of the request, value 2, is '\"2'"),
        ("1,2\x0b\n3,4", r"Row 1 of the request, value 2, is '2\\x0b'"),
    ],
)
def test_bodies_that_are_refused(body, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        inference.input_fn(body, "text/csv")


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("\ufeff1,2\n3,4", [[1, 2], [3, 4]]),
        ('"1", "+.5" \r-1.,\t1E+2\r', [[1, 0.5], [-1, 100]]),
        ("007,1e-400\n-0,5e-324", [[7, 0], [0, 5e-324]]),
    ],
)
def test_forms_of_numbers_that_are_read(body: str, rows: list[list[float]]) -> None:
    assert inference.input_fn(body).tolist() == rows


@given(st.lists(st.text(alphabet='1.-eE,"\0x \n', max_size=6), min_size=1, max_size=5).map("\n".join))
def test_any_body_is_read_as_python_reads_it_or_refused(body: str) -> None:
    try:
        rows = inference.input_fn(body).tolist()
    except ValueError:
        return
    lines = body.rstrip().split("\n")
    assert rows == [[float(cell.strip().strip('"')) for cell in line.split(",")] for line in lines]


def test_a_prediction_beyond_a_double_is_refused() -> None:
    with pytest.raises(ValueError, match="Row 2 of the request: its prediction is beyond"):
        answer("1,2\n1,1e308")


@pytest.mark.parametrize("kind", ["text/csv", "text/csv; charset=utf-8", "Text/CSV;header=absent"])
def test_content_types_that_are_csv(kind: str) -> None:
    assert inference.input_fn("1,2", kind).shape == (1, 2)


def test_other_types_are_refused() -> None:
    with pytest.raises(ValueError, match="application/json"):
        inference.input_fn("[1]", "application/json")
    with pytest.raises(ValueError, match="application/json"):
        inference.output_fn(MODEL.predict(np.zeros((1, 2))), "application/json")


@pytest.mark.parametrize("accept", ["text/csv", "*/*", "application/json, text/csv;q=0.5", ""])
def test_accept_headers_that_csv_satisfies(accept: str) -> None:
    assert inference.output_fn(MODEL.predict(np.zeros((1, 2))), accept)[1] == "text/csv"


def test_it_imports_numpy_and_the_csv_part_of_pyarrow_only() -> None:
    steps = Path(inference.__file__).parent
    script = textwrap.dedent(
        """
        import sys
        sys.path.insert(0, sys.argv[1])
        import inference
        from analysis.model.artefact import Predictions
        rows = inference.input_fn("1,2\\n3,4")
        inference.output_fn(Predictions(rows[:, 0], rows[:, 1], rows[:, 1], rows[:, 0] > 1))
        others = {"pandas", "pyarrow.compute", "sklearn", "scipy", "statsmodels", "boto3", "joblib"}
        print(*sorted(others & set(sys.modules)))
        """
    )
    done = subprocess.run([sys.executable, "-c", script, str(steps)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def imported(source: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(source)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}


def test_what_serves_needs_nothing_beyond_the_image() -> None:
    """The artefact has no requirements.txt: the container that serves it installs nothing."""
    steps = Path(inference.__file__).parent
    names = {name for file in train.SERVING_FILES for name in imported((steps / file).read_text(encoding="utf-8"))}
    own = {name for name in names if name.partition(".")[0] == "analysis"}
    assert {f"{name.replace('.', '/')}.py" for name in own} <= set(train.SERVING_FILES)
    libraries = {name.partition(".")[0] for name in names - own} - set(sys.stdlib_module_names)
    lock = Path(localmaker.images.__file__).with_name("scikit-learn-1.9-0.lock").read_text(encoding="utf-8")
    assert {"numpy"} <= libraries <= {line.partition("==")[0] for line in lock.splitlines()}
    assert "requirements.txt" not in train.SERVING_FILES
