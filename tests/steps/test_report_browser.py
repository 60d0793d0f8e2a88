"""The run report in a real browser: nothing is loaded, nothing is complained of, and a phone need not scroll sideways.

The page is put into a frame of the width wanted by a small local page, because headless Chromium's own window is never
narrower than 500 pixels; that page measures the frame and writes what it found into its title.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--allow-file-access-from-files",
    "--enable-logging=stderr", "--v=0", "--virtual-time-budget=3000", "--window-size=1400,1000", "--dump-dom",
)  # fmt: skip
HARNESS = """<!doctype html><title></title>
<iframe src="report.html" style="width:%dpx;height:900px;border:0"></iframe>
<script>
window.onload = () => {
  const inner = document.querySelector("iframe").contentWindow, page = inner.document;
  const wide = [...page.querySelectorAll("body *")].filter(
    (one) => !one.closest(".scroll, svg") && one.getBoundingClientRect().right > inner.innerWidth + 1);
  const loaded = inner.performance.getEntriesByType("resource").map((one) => one.name);
  const boxes = [...page.querySelectorAll("svg")].map((one) => one.getBoundingClientRect());
  document.title = JSON.stringify({
    width: inner.innerWidth, scroll: page.documentElement.scrollWidth,
    wide: wide.map((one) => one.outerHTML.slice(0, 80)),
    loaded: loaded.filter((name) => !name.startsWith("data:")), figures: boxes.filter((box) => box.height > 150).length,
    heading: page.querySelector("h1").textContent,
  });
};
</script>"""


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed (Debian: apt-get install chromium)")
@pytest.mark.parametrize("width", [390, 1280])
def test_it_opens_from_disk_at_any_width(trained, tmp_path, width: int) -> None:
    (tmp_path / "report.html").write_text(trained.report, encoding="utf-8")
    (tmp_path / "harness.html").write_text(HARNESS % width, encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "harness.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title
    found = json.loads(title[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
    assert found["heading"] == "days.csv"
    assert found["width"] == width
    assert found["wide"] == []
    assert found["scroll"] <= width
    assert found["loaded"] == []
    assert found["figures"] == 4
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
