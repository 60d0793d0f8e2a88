"""Download the daily bike-sharing table from the UCI Machine Learning Repository, check it, and put it in place.

Source: Fanaee-T and Gama (2013), doi:10.1007/s13748-013-0040-3; UCI "Bike Sharing", CC BY 4.0. The download is a zip
archive (or the CSV itself); only the table is taken out of it. UCI publishes no checksum, so what is checked is the
content: every row against the pipeline's own schema, and days and totals against the published table. The SHA-256 is
written beside the file; give a known one with --sha256.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "steps"))

from analysis.reading.columns import COUNTS, TARGET
from analysis.reading.limits import QualityLimits
from analysis.reading.purpose import Purpose
from analysis.reading.quality import check_days
from analysis.reading.table import read_table
from scripts.lib.program import ScriptError, program_parser, run_program, write_whole

URL = "https://archive.ics.uci.edu/static/public/275/bike+sharing+dataset.zip"
MEMBER = "day.csv"
EXAMPLES = """\
examples:
  python scripts/fetch_data.py
  python scripts/fetch_data.py --output day.csv --sha256 <64 hexadecimal digits>
  python scripts/fetch_data.py --url https://mirror.example.org/day.csv

Then: bikeshare demo --data day.csv
exit codes: 0 in place, 2 wrong call, 1 not downloaded or not the published table (nothing is written)
"""
_LARGEST = 16 * 1024 * 1024
_TIMEOUT_SECONDS = 30.0
_BY_HAND = "Download it by hand from https://archive.ics.uci.edu/dataset/275 and continue with day.csv."


class PublishedTable(NamedTuple):
    """The facts about a published form: number of days, first and last day (ISO), total rentals."""

    rows: int
    first_day: str
    last_day: str
    rentals: int


ORIGINAL = PublishedTable(731, "2011-01-01", "2012-12-31", 3_292_679)
"""UCI's own: measures scaled to 0..1."""
LATER_FORM = PublishedTable(730, "2018-01-01", "2019-12-31", 3_290_845)
"""The same days but one, dated seven years later, measures in degrees and km/h."""


def downloaded(url: str) -> bytes:
    """Download the content of a http or https address; raise ScriptError where it fails or is larger than the table."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ScriptError(f"{url!r} is not an http or https address.")
    try:
        with urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 (the scheme is checked above)
            content: bytes = answer.read(_LARGEST + 1)
            promised = answer.headers.get("Content-Length")
    except (URLError, OSError, http.client.HTTPException, ValueError) as error:
        raise ScriptError(f"{url} can't be downloaded: {error}.", _BY_HAND) from error
    if len(content) > _LARGEST:
        raise ScriptError(f"{url} has more than {_LARGEST:,} bytes: it is not the table.", _BY_HAND)
    if promised is not None and promised.isdigit() and int(promised) != len(content):
        raise ScriptError(f"{url} broke off after {len(content):,} of {promised} bytes.", "Try again.")
    return content


def table_in(content: bytes, url: str) -> bytes:
    """Return the table: ``day.csv`` of a zip archive, or the content itself where it is not an archive.

    Raises ScriptError where the archive is damaged, lacks that file, or unpacks to more than the table could have.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = [entry for entry in archive.infolist() if PurePosixPath(entry.filename).name == MEMBER]
            if len(found) != 1:
                raise ScriptError(f"The archive at {url} holds {len(found)} files named {MEMBER}, not one.", _BY_HAND)
            with archive.open(found[0]) as stream:
                table = stream.read(_LARGEST + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ScriptError(f"The archive at {url} is damaged: {error}.", "Try again.") from error
    if len(table) > _LARGEST:
        raise ScriptError(f"{MEMBER} in the archive at {url} is too large to be the table.", _BY_HAND)
    return table


def check_published(path: Path) -> PublishedTable:
    """Check a table row by row (InputError) and against the published figures (ScriptError)."""
    checked = check_days(read_table(path), Purpose.TRAINING, COUNTS, QualityLimits())
    report, rentals = checked.report, int(checked.days[TARGET].sum())
    found = PublishedTable(len(checked.days), report["first_day"], report["last_day"], rentals)
    if found not in {ORIGINAL, LATER_FORM}:
        raise ScriptError(
            f"This is not the published table: it has {found.rows} days, {found.first_day} to {found.last_day}, with "
            f"{found.rentals:,} rentals; the published one has {ORIGINAL.rows} days with {ORIGINAL.rentals:,}.",
            "A table of your own needs no download: give it to bikeshare demo --data FILE.",
        )
    return found


def main(arguments: Sequence[str]) -> None:
    """Run the program."""
    parser = program_parser(__doc__, EXAMPLES)
    parser.add_argument("--url", default=URL, help=f"zip archive with {MEMBER}, or the CSV itself (default: {URL})")
    parser.add_argument("--output", type=Path, default=Path(MEMBER), help=f"where it goes (default: {MEMBER})")
    parser.add_argument("--sha256", help="refuse a table with another SHA-256")
    request = parser.parse_args(arguments)
    output: Path = request.output
    table = table_in(downloaded(request.url), request.url)
    digest = hashlib.sha256(table).hexdigest()
    if request.sha256 is not None and request.sha256.lower() != digest:
        raise ScriptError(f"The table at {request.url} has SHA-256 {digest}, not {request.sha256.lower()}.", _BY_HAND)
    with tempfile.TemporaryDirectory(prefix="table-") as directory:
        candidate = Path(directory) / MEMBER
        candidate.write_bytes(table)
        found = check_published(candidate)
    write_whole(output, table)
    write_whole(output.with_name(f"{output.name}.sha256"), f"{digest}  {output.name}\n".encode())
    print(f"{output}: {found.rows} days, {found.first_day} to {found.last_day}, {found.rentals:,} rentals")
    print(f"SHA-256 {digest}, in {output.name}.sha256")
    print(f"Use it: bikeshare demo --data {output}")


if __name__ == "__main__":
    run_program(main)
