"""What is on the pages of an exported card. A page was looked at; what matters about it is read back here."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image

from localmaker.services.sagemaker.registry.card_content import (
    Chart,
    Field,
    Heading,
    Table,
    card_blocks,
    number_text,
)
from localmaker.services.sagemaker.registry.card_fonts import MARK, Fonts, fonts_for
from localmaker.services.sagemaker.registry.card_layout import heights_on_page
from localmaker.services.sagemaker.registry.card_pdf import card_pdf
from localmaker.services.sagemaker.registry.card_plots import chart_png
from localmaker.services.sagemaker.registry.right_to_left import in_visual_order, joined

FIGURES = [
    {"name": "R-squared", "type": "number", "value": 0.83, "notes": "test rows"},
    {"name": "passes", "type": "boolean", "value": True},
]
SETTING = {"name": "n", "value": 1}
GRAPHS = [
    {"name": "Fit", "type": "linear_graph", "value": [[0, 1], [1, 3]], "x_axis_name": "day", "y_axis_name": "$"},
    {"name": "Weights", "type": "bar_chart", "value": [1, -2], "x_axis_name": ["temp", "hum"], "notes": "scaled"},
    {"name": "Long", "type": "bar_chart", "value": list(range(30)), "x_axis_name": [f"a_{n}" * 9 for n in range(30)]},
    {"name": "Terciles", "type": "matrix", "value": [[5, 1], [0]], "x_axis_name": ["a", "b"], "y_axis_name": "c"},
]
CONTENT: dict[str, Any] = {
    "own": {"note": None, "list": ["a", "b"], "flag": True},
    "evaluation_details": [
        {
            "name": "Rows held out",
            "metric_groups": [{"name": "Regression", "metric_data": [*FIGURES, *GRAPHS]}],
            "evaluation_observation": "good",
        }
    ],
    "model_overview": {"model_description": "Daily rentals, R² ≥ 0.8", "model_artifact": ["s3://b/m"]},
    "training_details": {"training_job_details": {"training_arn": "a", "hyper_parameters": [SETTING]}},
}


def described(content: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "ModelCardName": "bikes",
        "ModelCardVersion": 3,
        "ModelCardStatus": "Approved",
        "ModelCardArn": "arn:aws:sagemaker:us-east-1:123456789012:model-card/bikes",
        "CreationTime": 1_767_268_800.0,
        "LastModifiedTime": 1_767_268_800.0,
        "Content": json.dumps(content),
        **more,
    }


def pages(pdf: bytes) -> int:
    found = re.search(rb"/Count (\d+)", pdf)
    assert found
    return int(found[1])


def test_everything_is_shown_in_the_schemas_order() -> None:
    blocks = list(card_blocks(CONTENT))
    sections = [block.text for block in blocks if isinstance(block, Heading) and block.depth == 0]
    assert sections == ["Model overview", "Training details", "Evaluation details", "Own"]
    assert Field("Training ARN", "a") in blocks
    assert Field("Flag", "yes") in blocks
    assert Field("List", "•\u00a0a\n•\u00a0b") in blocks
    assert Table((("n", "1", ""),), "Hyper parameters") in blocks
    evaluation = blocks[blocks.index(Heading(0, "Evaluation details")) :]
    assert evaluation[1:4] == [
        Heading(1, "Rows held out"),
        Field("Evaluation observation", "good"),
        Table((("R-squared", "0.83", "test rows"), ("passes", "yes", "")), "Regression"),
    ]
    charts = [block for block in blocks if isinstance(block, Chart)]
    assert [chart.name for chart in charts] == ["Fit", "Weights", "Long", "Terciles"]
    assert charts[1] == Chart("bar_chart", "Weights", "scaled", [1, -2], ("temp", "hum"), ())
    assert "Note" not in {block.label for block in blocks if isinstance(block, Field)}


def test_nothing_is_said_twice_or_with_a_bare_number() -> None:
    group = {"name": "Plots", "metric_data": [GRAPHS[0]]}
    containers = [{"image": "i", "model_data_url": "s3://b/m"}]
    card = {
        "evaluation_details": [{"name": "Plots", "metric_groups": [group]}],
        "model_package_details": {"inference_specification": {"containers": containers}},
        "model_overview": {"model_artifact": ["s3://b/m"]},
    }
    blocks = [block for block in card_blocks(card) if not isinstance(block, Chart)]
    assert blocks == [
        Heading(0, "Model overview"),
        Field("Model artifact", "s3://b/m"),
        Heading(0, "Model package details"),
        Heading(1, "Inference specification"),
        Heading(2, "Containers"),
        Field("Image", "i"),
        Field("Model data URL", "s3://b/m"),
        Heading(0, "Evaluation details"),
        Heading(1, "Plots"),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.83123456, "0.8312"), (1234567.5, "1,234,567.5"), (2.0, "2"), (0.0, "0"), (-0.0000123456, "-1.23e-05")],
)
def test_numbers_are_for_readers(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph["name"])
def test_each_type_of_graph_is_drawn(graph: dict[str, Any], tmp_path: Path) -> None:
    (chart,) = [one for one in card_blocks({"e": [{"name": "n", "metric_data": [graph]}]}) if isinstance(one, Chart)]
    path = tmp_path / "chart.png"
    path.write_bytes(chart_png(chart))
    with Image.open(path) as picture:
        colours = picture.convert("RGB").getcolors(1 << 24)
        assert picture.width == 1370
    assert colours is not None
    blue = sum(count for count, (red, _, shade) in colours if shade > red + 60)
    assert blue > 500  # the data, not the frame


def grey(name: str, tmp_path: Path) -> int:
    path = tmp_path / "chart.png"
    chart = Chart("linear_graph", "Fit", "", [[0, 1], [1, 3]], ("mean prediction (rentals)",), (name,))
    path.write_bytes(chart_png(chart))
    with Image.open(path) as picture:
        colours = picture.convert("RGB").getcolors(1 << 24)
    return sum(count for count, colour in colours or () if colour == (102, 102, 102))


def test_axes_of_the_same_unit_have_a_diagonal(tmp_path: Path) -> None:
    assert grey("mean actual value (rentals)", tmp_path) > grey("mean actual value (points)", tmp_path) + 500


def test_charts_share_the_room_of_a_page() -> None:
    sizes = [(60.0, 80.0), (100.0, 140.0), (60.0, 80.0)]
    assert heights_on_page(sizes, 170) == pytest.approx([60 + 10 * 20 / 60, 100 + 10 * 40 / 60])
    assert sum(heights_on_page(sizes, 250)) == pytest.approx(250)
    assert heights_on_page(sizes, 400) == [80, 140, 80]
    assert heights_on_page(sizes, 59) == []
    # One that is higher than a page is drawn as high as that.
    assert heights_on_page([(500.0, 600.0)], 250, whole=250) == [250]
    assert heights_on_page([(500.0, 600.0)], 240, whole=250) == []


def test_a_chart_that_is_higher_than_a_page_has_one_of_its_own() -> None:
    metric = {"name": "Long", "type": "bar_chart", "value": [1] * 200, "x_axis_name": ["n"]}
    entry = {"name": "e", "metric_groups": [{"name": "g", "metric_data": [metric, metric]}]}
    assert pages(card_pdf(described({"evaluation_details": [entry]}))) == 3


def texts_of_pages(pdf: bytes) -> list[str]:
    """Return the texts of each page, read back from the file."""
    done = subprocess.run(["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True)
    return done.stdout.decode().split("\f")


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler's pdftotext is not installed")
@pytest.mark.parametrize("before", range(30, 52, 4))
def test_no_heading_stands_alone_at_the_end_of_a_page(before: int) -> None:
    inner = {"image": "the image", "model_data_url": "s3://bucket/model"}
    package = {"domain": "d\n" * before, "inference_specification": {"containers": [inner]}}
    first, *others = texts_of_pages(card_pdf(described({"model_package_details": package})))
    together = next(page for page in [first, *others] if "Inference specification" in page)
    assert "Containers" in together
    assert "the image" in together


def test_the_pictures_are_in_the_file() -> None:
    assert card_pdf(described(CONTENT)).count(b"/Subtype /Image") >= len(GRAPHS)


def test_the_pdf_is_the_same_each_time_and_breaks_what_is_long() -> None:
    long = {"text": "word " * 3000, "unbroken": "x" * 3000, "lines": "a\n" * 2000}
    entries = [{"name": f"p{number}", "value": number, "notes": "note " * 200} for number in range(30)]
    card = described({**CONTENT, "long": long, "many": entries})
    pdf = card_pdf(card)
    assert pdf == card_pdf(card)
    assert pages(pdf) > 30
    streams = [zlib.decompress(one) for one in re.findall(rb"stream\n(x\x9c.*?)\nendstream", pdf, re.DOTALL)]
    assert any(b" Tf" in one and b"Tj" in one for one in streams)


def font_with(character: str, path: Path) -> str:
    """Write a font that has one character: a box."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for point in ((0, 700), (600, 700), (600, 0)):
        pen.lineTo(point)
    pen.closePath()
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", "box"])
    builder.setupCharacterMap({ord(character): "box"})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "box": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (600, 0), "box": (600, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular", "psName": path.stem})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return str(path)


def test_characters_come_from_installed_fonts_or_are_marked(tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    paths = [font_with("日", tmp_path / "Japanese.ttf"), str(tmp_path / "broken.ttf")]
    fonts = fonts_for("R² é 日本\n🚲\ufe0f", paths)
    assert [path.name for path in fonts.outlines] == ["Japanese.ttf"]
    assert fonts.missing == {"本", "🚲"}
    assert fonts.shown("日本 🚲\ufe0f é") == f"日{MARK} {MARK} é"
    assert "U+1F6B2 (bicycle)" in fonts.note()
    assert fonts_for("é日", paths).note() == ""
    pictured = Fonts((), (Path("emoji.ttf"),), frozenset("🚲"), frozenset())
    assert pictured.shown("🚲") == "🚲"
    assert pictured.shown("🚲", in_chart=True) == MARK
    assert pictured.note() == ""
    assert "U+1F6B2" in pictured.note(frozenset("🚲"))
    metric = {"name": "日本", "type": "bar_chart", "value": [1], "x_axis_name": ["日本"]}
    card = described({"e": [{"name": "日本", "metric_data": [metric], "v": "日本"}]})
    assert b"Japanese" in card_pdf(card, paths)
    assert b"Japanese" not in card_pdf(card, [])


def test_arabic_is_joined_and_runs_from_the_right() -> None:
    assert joined("\u0628\u0628\u0628 \u062f\u0628") == "\ufe91\ufe92\ufe90 \ufea9\ufe8f"
    assert in_visual_order("a (b)", lambda text: [text]) == "a (b)"
    lines = ["\u05d0\u05d1", "x (\u05d0)"]
    assert in_visual_order("\u05d0\u05d1 x (\u05d0)", lambda _text: lines) == "\u05d1\u05d0\nx (\u05d0)"
    assert in_visual_order("\u05d0 (\u05d1)", lambda text: [text]) == "(\u05d1) \u05d0"
