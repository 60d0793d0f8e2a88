"""Other tables than the first: the second from its declaration, and a third that nobody has declared before."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from datetime import datetime, timedelta

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("datasets")]

OF_ANOTHER_TABLE = re.compile(r"\b(days?|rentals?|bikes?|weather\w*|cnt)\b", re.IGNORECASE)
FIRST_HOUR = datetime(2023, 3, 1)  # noqa: DTZ001 - a table's own clock


def table_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def text_of(page: str) -> str:
    """Return what a browser shows, about."""
    return re.sub(r"<[^>]+>", " ", re.sub(r"<(style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL))


@pytest.fixture(scope="module")
def trained_wine(deployed_wine, wine_csv):
    execution = deployed_wine.run("raw/training/winequality-red.csv", wine_csv)
    assert execution.status == "Succeeded", execution.explanation
    return deployed_wine


def test_wine_is_registered_with_a_card_of_its_own_subject(trained_wine):
    (package,) = trained_wine.model_packages()
    assert package["ModelPackageGroupName"] == "redwine-local-regression"
    card = package["ModelCard"]["ModelCardContent"]
    assert not OF_ANOTHER_TABLE.search(card)
    assert "Red wine quality" in card
    details = json.loads(card)["evaluation_details"]
    figures = {entry["name"]: entry["value"] for entry in details[0]["metric_groups"][0]["metric_data"]}
    assert round(figures["R-squared"], 4) == 0.3585
    assert round(figures["Root mean squared error (points)"], 4) == 0.6824


def test_wine_has_a_report_that_sets_the_reference_figures_beside_ours(trained_wine):
    settings = trained_wine.settings
    (key,) = [key for key in trained_wine.keys(settings.artifacts_bucket) if key.endswith("report.html")]
    shown = text_of(trained_wine.read(settings.artifacts_bucket, key).decode())
    assert not OF_ANOTHER_TABLE.search(shown)
    assert "77.20" in shown
    assert "2163.3" in shown
    assert " different " not in shown.partition("Published and reproduced figures")[2]


def test_wine_is_scored_and_each_row_is_known_again(trained_wine, wine_csv):
    assert trained_wine.command("model", "approve", "1").returncode == 0
    header, *lines = wine_csv.decode().splitlines()
    # Without the quality, and the first rows last.
    rows = [line.rpartition(",")[0] for line in [header, *lines[20:40], *lines[:20]]]
    execution = trained_wine.run("raw/scoring/new.csv", "\n".join(rows).encode(), "scoring")
    assert execution.status == "Succeeded", execution.explanation
    published = trained_wine.predictions()
    (scored,) = [table_of(body) for key, body in published.items() if "/new-" in key]
    (learned,) = [table_of(body) for key, body in published.items() if "winequality" in key]
    assert [row["line"] for row in scored] == [str(number) for number in range(2, 42)]
    assert {row["actual"] for row in scored} == {""}
    # The same cells have the same name and the same prediction, wherever in a file they are.
    known = {row["record"]: row["prediction"] for row in learned}
    assert len(known) == 1599
    assert all(known[row["record"]] == row["prediction"] for row in scored)


def test_wine_is_trained_on_all_history(trained_wine, wine_csv):
    """Rows without a key: those that are there already are the same rows again, and none comes twice."""
    wine = trained_wine.history(1599)
    assert len(wine) == 1599
    assert wine["record_id"].is_unique
    header, *lines = wine_csv.decode().splitlines()
    # Ten known wines, and two that nobody has tasted before.
    new = [f"8.01,{line.partition(',')[2]}" for line in lines[:2]]
    trained_wine.put("by-hand/cellar.csv", "\n".join([header, *lines[:10], *new]).encode())
    started = trained_wine.command("start", "by-hand/cellar.csv", "--parameter", "TrainOn=history", "--json")
    execution = trained_wine.finished(json.loads(started.stdout)["PipelineExecutionArn"])
    assert execution.status == "Succeeded", execution.explanation
    (body,) = [body for key, body in trained_wine.predictions().items() if "/cellar-" in key]
    rows = table_of(body)
    assert len(rows) == 1599 + 2
    assert sorted(row["line"] for row in rows if row["line"]) == sorted(map(str, range(2, 14)))


def hourly(rows: int, seed: int = 5) -> list[dict[str, str]]:
    """Return hours of two tariffs at three stations: a key of three columns, levels of text, a real target, `?`."""
    draws = random.Random(seed)
    offsets = {"north": 12.0, "harbour": 3.0, "old town": -4.0}
    table = []
    for number in range(rows):
        hour, rest = divmod(number, 6)
        line, station = "AB"[rest % 2], [*offsets][rest // 2]
        moment = FIRST_HOUR + timedelta(hours=hour)
        warmth, sky = draws.gauss(10.0, 4.0), draws.choice(["clear", "cloudy", "rain"])
        load = 50.0 + offsets[station] + 1.5 * warmth + {"clear": 5.0, "cloudy": 0.0, "rain": -9.0}[sky]
        load += 6.0 * (line == "A") + draws.gauss(0.0, 2.0)
        table.append(
            {
                "moment": moment.strftime("%d/%m/%Y %H:%M"),
                "tariff": line,
                "Station Name": station,
                "warmth": "?" if draws.random() < 0.03 else f"{warmth:.2f}",
                "sky": "?" if draws.random() < 0.02 else sky,
                "load, kW": f"{load:.3f}",
            }
        )
    return table


def as_csv(rows: list[dict[str, str]], columns: list[str]) -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()


def test_a_third_table_needs_nothing_but_a_declaration(deployed_wine, deploy_declaration, tmp_path):
    rows = hourly(1500)
    columns = [*rows[0]]
    to_learn, to_score = tmp_path / "loads.csv", as_csv(rows[1440:], columns[:-1])
    to_learn.write_bytes(as_csv(rows[:1440], columns))
    declaration = tmp_path / "loads.toml"
    drafted = deployed_wine.command(
        "dataset", "draft", str(to_learn), "--output", str(declaration), "--name", "loads", "--target", "load, kW"
    )
    assert "review" in drafted.stderr
    assert deployed_wine.command("dataset", "check", str(declaration), str(to_learn)).returncode == 0
    with deploy_declaration(declaration) as deployed:
        learned = deployed.run("raw/training/loads.csv", to_learn.read_bytes())
        assert learned.status == "Succeeded", learned.explanation
        deployed.command("model", "approve", "1")
        scored = deployed.run("raw/scoring/loads.csv", to_score, "scoring")
        assert scored.status == "Succeeded", scored.explanation
        (predicted,) = [table_of(body) for key, body in deployed.predictions().items() if len(table_of(body)) == 60]
        assert list(predicted[0])[:4] == ["time", "tariff", "Station_Name", "prediction"]
        assert predicted[0]["time"] == "2023-03-11 00:00:00"
        truth = [float(row["load, kW"]) for row in sorted(rows[1440:], key=_in_order)]
        inside = [
            float(row["lower_95"]) <= value <= float(row["upper_95"])
            for row, value in zip(predicted, truth, strict=True)
        ]
        assert sum(inside) >= 50
        assert deployed.command("drift").returncode == 0


def _in_order(row: dict[str, str]) -> tuple[str, str, str]:
    return row["moment"], row["tariff"], row["Station Name"]
