"""The reports in a real browser: nothing is loaded, nothing is complained of, and a phone need not scroll sideways.

The page is put into a frame of the width wanted by a small local page, because headless Chromium's own window is never
narrower than 500 pixels; that page measures the frame and writes what it found into its title.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.steps.analysis.publishing.pages import File, drift_of, feature

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--allow-file-access-from-files",
    "--enable-logging=stderr", "--v=0", "--virtual-time-budget=3000", "--window-size=1400,1000", "--dump-dom",
)  # fmt: skip
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed (Debian: apt-get install chromium)")
FILES = {
    "a month": File(known=True, marks=("0", "1"), document={"drift": drift_of(feature("weathersit_now", 1.0))}),
    "one row": File(rows=1),
    "many rows": File(rows=5000, known=True),
    "hostile names": File(
        key="raw/scoring/<img src=x onerror=alert(1)>\u202e" + "x" * 150 + ".csv",
        cell="<script>alert(2)</script>" + "y" * 100,
        names=("date", "town"),
        marks=("1",),
        document={"drift": drift_of(feature("<b>" + "z" * 100, 1.0))},
    ),
}
HARNESS = """<!doctype html><title></title>
<iframe src="report.html" style="width:%dpx;height:900px;border:0"></iframe>
<script>
window.onload = () => {
  const inner = document.querySelector("iframe").contentWindow, page = inner.document;
  const wide = [...page.querySelectorAll("body *")].filter(
    (one) => !one.closest(".scroll, svg") && one.getBoundingClientRect().right > inner.innerWidth + 1);
  const loaded = inner.performance.getEntriesByType("resource").map((one) => one.name);
  const boxes = [...page.querySelectorAll("svg")].map((one) => one.getBoundingClientRect());
  const names = [...page.querySelectorAll("tbody th bdi")].filter((one) => one.textContent.length < 16);
  document.title = JSON.stringify({
    broken: names.filter((one) => one.getBoundingClientRect().height > 40).map((one) => one.textContent),
    width: inner.innerWidth, scroll: page.documentElement.scrollWidth,
    wide: wide.map((one) => one.outerHTML.slice(0, 80)),
    loaded: loaded.filter((name) => !name.startsWith("data:")), figures: boxes.filter((box) => box.height > 150).length,
    heading: page.querySelector("h1").textContent,
  });
};
</script>"""


def opened(page: str, width: int, folder: Path) -> dict[str, Any]:
    """Open a page from disk in a frame of that width; what the browser found, which must not have complained."""
    (folder / "report.html").write_text(page, encoding="utf-8")
    (folder / "harness.html").write_text(HARNESS % width, encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", (folder / "harness.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    found: dict[str, Any] = json.loads(unescape(title[1]))
    assert found["width"] == width
    assert found["wide"] == []
    assert found["broken"] == []
    assert found["scroll"] <= width
    assert found["loaded"] == []
    return found


@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_it_opens_from_disk_at_any_width(trained, tmp_path, width: int) -> None:
    found = opened(trained.report, width, tmp_path)
    assert (found["heading"], found["figures"]) == ("days.csv", 4)


@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_so_does_the_page_of_predictions(tmp_path, width: int, file: File) -> None:
    """Of its two charts, which are for wide and for narrow screens, one is shown."""
    found = opened(file.html(), width, tmp_path)
    assert found["figures"] == 1
    assert found["heading"] == file.key.rpartition("/")[2].replace("\u202e", "\ufffd")
