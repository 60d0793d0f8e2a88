"""The PDF of a model card."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from localmaker.services.sagemaker.registry.card_content import Block, Chart, Field, Heading, Table, card_blocks, texts
from localmaker.services.sagemaker.registry.card_fonts import Fonts, fonts_for, own_font
from localmaker.services.sagemaker.registry.card_layout import ABOVE, depth_of, heights_on_page, least_height
from localmaker.services.sagemaker.registry.card_plots import WIDTH, chart_png, heights
from localmaker.services.sagemaker.registry.right_to_left import in_visual_order

_MARGIN, _LINE = 18, 5.0  # millimetres
_LABELS = 46  # width of the names of fields
_FAMILY = "DejaVu"
_GREY, _BLACK, _RULE, _BLUE = (100, 100, 100), (30, 30, 30), (205, 205, 205), (31, 90, 147)
_SIZES = (15, 11.5, 10, 9)  # of headings, by depth
_TEXT, _SMALL = 9, 7.5
# Longer texts stand below their name, over the whole width, where they can go on on the next page.
_LONG, _MANY_LINES = 380, 10
_STATUS = {"Approved": (39, 117, 59), "PendingReview": (176, 107, 0), "Archived": (110, 110, 110)}


def card_pdf(description: Mapping[str, Any], font_paths: Sequence[str] | None = None) -> bytes:
    """Return a version of a model card as a PDF.

    Args:
        description: DescribeModelCard's response; times in seconds since 1970.
        font_paths: fonts for characters that the card's own typeface lacks; None for those that are installed.
    """
    blocks = list(card_blocks(json.loads(description["Content"])))
    used = {character for block in blocks for text in texts(block) for character in text}
    page = _Pages(description, fonts_for(used, font_paths))
    shown = 0
    for kind, group in groupby(blocks, key=type):
        run = list(group)
        if kind is Heading:
            page.keep_together(blocks[shown:])
        shown += len(run)
        page.run(run)
    return page.finished()


class _Pages:
    """The pages under way: a title, then block after block."""

    def __init__(self, description: Mapping[str, Any], fonts: Fonts) -> None:
        self._fonts = fonts
        self._in_charts = set[str]()
        self._tables: Any = importlib.import_module("fpdf.fonts")
        name, version, status = (description[f"ModelCard{field}"] for field in ("Name", "Version", "Status"))
        self._pdf = pdf = _document(f"{name} · version {version} · {status}")
        pdf.set_margin(_MARGIN)
        pdf.set_auto_page_break(auto=True, margin=_MARGIN + _LINE)
        pdf.add_font(_FAMILY, "", own_font())
        pdf.add_font(_FAMILY, "B", own_font("-Bold"))
        more = {f"more{number}": path for number, path in enumerate((*fonts.outlines, *fonts.pictures))}
        for family, path in more.items():
            pdf.add_font(family, "", path)
        pdf.set_fallback_fonts(list(more), exact_match=False)
        pdf.set_title(f"Model card {name}, version {version}")
        pdf.set_creation_date(_moment(description["LastModifiedTime"]))
        pdf.alias_nb_pages()
        pdf.add_page()
        self._title(description)

    def _title(self, description: Mapping[str, Any]) -> None:
        pdf = self._pdf
        self._write("MODEL CARD", size=_SMALL, color=_GREY)
        self._write(description["ModelCardName"], size=22, style="B")
        pdf.ln(1)
        status = description["ModelCardStatus"]
        pdf.set_font(_FAMILY, "B", _TEXT)
        pdf.set_fill_color(*_STATUS.get(status, _BLUE))
        pdf.set_text_color(255, 255, 255)
        words = "Pending review" if status == "PendingReview" else status
        pdf.cell(pdf.get_string_width(words) + 6, 6.5, words, fill=True, align="C")
        pdf.set_font(_FAMILY, "", _TEXT)
        pdf.set_text_color(*_GREY)
        pdf.cell(0, 6.5, f"   Version {description['ModelCardVersion']}", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(2)
        made, changed = (_moment(description[f"{one}Time"]) for one in ("Creation", "LastModified"))
        when = f"Created on {made:%d %B %Y, %H:%M} UTC"
        if changed > made:
            when += f", changed on {changed:%d %B %Y, %H:%M} UTC"
        self._write(when, size=_SMALL, color=_GREY)
        self._write(description["ModelCardArn"], size=_SMALL, color=_GREY)

    def run(self, blocks: Sequence[Block]) -> None:
        """Write blocks of the same type."""
        self._fields([one for one in blocks if isinstance(one, Field)])
        self._charts([one for one in blocks if isinstance(one, Chart)])
        for block in blocks:
            if isinstance(block, Heading):
                self._heading(block)
            elif isinstance(block, Table):
                self._table(block)

    def keep_together(self, blocks: Sequence[Block]) -> None:
        """Begin a page where a heading would stand alone at the end of this one."""
        least = least_height(blocks, self._least)
        # What no page has room for begins on the next one anyway.
        if (4 * _LINE if least > self._pdf.eph else least) > self._room():
            self._pdf.add_page()

    def _least(self, block: Field | Chart) -> float:
        if isinstance(block, Chart):
            return self._sizes(block)[0]
        self._pdf.set_font(_FAMILY, "", _TEXT)
        return 4 * _LINE if _is_long(block) else _LINE * len(self._lines(block.text, self._pdf.epw - _LABELS)) + 2

    def _room(self) -> float:
        return float(self._pdf.h - self._pdf.b_margin - self._pdf.get_y())

    def _heading(self, heading: Heading) -> None:
        pdf, depth = self._pdf, depth_of(heading)
        if pdf.get_y() > pdf.t_margin:
            pdf.ln(ABOVE[depth])
        self._write(heading.text, size=_SIZES[depth], style="B", color=_BLACK if depth else _BLUE)
        if depth == 0:
            pdf.set_draw_color(*_BLUE)
            pdf.set_line_width(0.4)
            pdf.line(pdf.l_margin, pdf.get_y() + 0.8, pdf.w - pdf.r_margin, pdf.get_y() + 0.8)
        pdf.ln(1.5)

    def _fields(self, fields: Sequence[Field]) -> None:
        """Write fields below one another: names at the left, values beside them."""
        for is_long, run in groupby(fields, key=_is_long):
            if is_long:
                for one in run:
                    self._pdf.ln(0.8)
                    self._write(one.label, color=_GREY)
                    self._write(one.text)
                    self._pdf.ln(1.5)
                continue
            face = self._face(color=_GREY)
            with self._rows((_LABELS, self._pdf.epw - _LABELS), "NONE", headings=False) as table:
                for one in run:
                    row = table.row()
                    row.cell(self._shown(one.label, _LABELS), style=face)
                    row.cell(self._shown(one.text, self._pdf.epw - _LABELS))

    def _table(self, block: Table) -> None:
        has_notes = any(notes for _, _, notes in block.rows)
        parts = (0.4, 0.14, 0.46) if has_notes else (0.65, 0.35)
        widths = tuple(self._pdf.epw * part for part in parts)
        self._pdf.ln(1.5)
        with self._rows(widths, "HORIZONTAL_LINES", headings=True) as table:
            table.row((self._shown(block.title, widths[0]), "Value", "Notes")[: len(widths)])
            for cells in block.rows:
                row = table.row()
                for text, width in zip(cells, widths, strict=False):
                    row.cell(self._shown(text, width))
        self._pdf.ln(1.5)

    def _rows(self, widths: tuple[float, ...], borders: str, *, headings: bool) -> Any:
        pdf = self._pdf
        pdf.set_font(_FAMILY, "", _TEXT)
        pdf.set_text_color(*_BLACK)
        pdf.set_fill_color(255, 255, 255)
        pdf.set_draw_color(*_RULE)
        pdf.set_line_width(0.2)
        return pdf.table(
            col_widths=widths,
            borders_layout=borders,
            first_row_as_headings=headings,
            headings_style=self._face(emphasis="BOLD", color=_GREY),
            line_height=_LINE,
            text_align="LEFT",
            v_align="TOP",
            padding=(0.8, 2, 0.8, 0),
        )

    def _face(self, **kwargs: Any) -> Any:
        return self._tables.FontFace(**kwargs)

    def _charts(self, charts: Sequence[Chart]) -> None:
        """Draw charts, as many on a page as it has room for."""
        whole = float(self._pdf.eph) - 1  # less than what an empty page has, whatever is rounded
        while charts:
            chosen = heights_on_page([self._sizes(one) for one in charts], self._room(), whole)
            if not chosen:
                self._pdf.add_page()
            for chart, height in zip(charts, chosen, strict=False):
                self._chart(chart, (height - self._around(chart)) / self._pdf.epw * WIDTH)
            charts = charts[len(chosen) :]

    def _sizes(self, chart: Chart) -> tuple[float, float]:
        """Return the least height of a chart on a page, and a good one."""
        least, good = (self._around(chart) + self._pdf.epw * height / WIDTH for height in heights(chart))
        return least, good

    def _around(self, chart: Chart) -> float:
        """Return the height of a chart's name, its notes and the space around it."""
        self._pdf.set_font(_FAMILY, "", _TEXT)
        notes = len(self._lines(chart.notes, self._pdf.epw)) if chart.notes else 0
        return _LINE * (notes + 1) + 5

    def _chart(self, chart: Chart, height: float) -> None:
        pdf, fonts = self._pdf, self._fonts
        names = (tuple(fonts.shown(one, in_chart=True) for one in axis) for axis in (chart.x_names, chart.y_names))
        x_names, y_names = names
        picture = chart_png(replace(chart, x_names=x_names, y_names=y_names), fonts.outlines, height)
        self._in_charts |= {character for name in (*chart.x_names, *chart.y_names) for character in name}
        if pdf.get_y() > pdf.t_margin:
            pdf.ln(2)
        self._write(chart.name, size=10, style="B")
        pdf.image(io.BytesIO(picture), w=pdf.epw, alt_text=chart.name)
        if chart.notes:
            self._write(chart.notes, color=_GREY)
        pdf.ln(2)

    def _write(self, text: str, *, size: float = _TEXT, style: str = "", color: tuple[int, int, int] = _BLACK) -> None:
        """Write a paragraph."""
        pdf = self._pdf
        pdf.set_font(_FAMILY, style, size)
        pdf.set_text_color(*color)
        line = max(_LINE, size * 0.5)
        pdf.multi_cell(0, line, self._shown(text, pdf.epw), new_x="LMARGIN", new_y="NEXT", align="L")

    def _shown(self, text: str, width: float) -> str:
        return in_visual_order(self._fonts.shown(text), lambda one: self._lines(one, width))

    def _lines(self, text: str, width: float) -> list[str]:
        found: list[str] = self._pdf.multi_cell(width - 2, _LINE, text, dry_run=True, output="LINES", align="L")
        return found

    def finished(self) -> bytes:
        """Return the file, with a line about what could not be shown."""
        note = self._fonts.note(frozenset(self._in_charts))
        if note:
            self._pdf.ln(6)
            self._write(note, size=_SMALL, color=_GREY)
        return bytes(self._pdf.output())


def _document(footer: str) -> Any:
    """Return an empty document whose pages have their number."""
    fpdf: Any = importlib.import_module("fpdf")  # only exports need it

    class Document(fpdf.FPDF):  # type: ignore[misc]  # imported when it is needed
        def footer(self) -> None:
            self.set_y(-_MARGIN + 2)
            self.set_font(_FAMILY, "", _SMALL)
            self.set_text_color(*_GREY)
            self.cell(0, _LINE, footer)
            self.set_x(self.l_margin)
            self.cell(0, _LINE, f"{self.page_no()} / {{nb}}", align="R")

    return Document(format="A4")


def _is_long(field: Field) -> bool:
    return len(field.text) > _LONG or field.text.count("\n") > _MANY_LINES


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
