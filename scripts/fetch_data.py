"""Download the table of a data set, check it, and put it in place.

Where it is, and what it holds, stands in the declaration of the data set. The download is a zip archive or the CSV
itself; only the table is taken out of it. Its publisher gives no checksum, so what is checked is the content: every row
against the declaration, and rows and total of the target against those declared. The SHA-256 is written beside the
file; give a known one with --sha256.
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
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "steps"))

import pyarrow.compute as pc

from analysis.checking.purpose import Purpose
from analysis.checking.raw_file import checked_file
from analysis.dataset.declaration import Dataset, Download
from pipeline.datasets.shipped import DEFAULT_DATASET, dataset_names, declared
from scripts.lib.program import ScriptError, program_parser, run_program, write_whole

EXAMPLES = """\
examples:
  python scripts/fetch_data.py
  python scripts/fetch_data.py --dataset red_wine
  python scripts/fetch_data.py --output day.csv --sha256 <64 hexadecimal digits>
  python scripts/fetch_data.py --url https://mirror.example.org/day.csv

Then: bikeshare demo --data day.csv
exit codes: 0 in place, 2 wrong call, 1 not downloaded or not the published table (nothing is written)
"""
_LARGEST = 16 * 1024 * 1024
_TIMEOUT_SECONDS = 30.0


def by_hand(download: Download) -> str:
    """Return what to do where the download fails."""
    return f"Download it by hand from {download.page} and continue with {download.member}."


def downloaded(url: str, download: Download) -> bytes:
    """Download the content of a http or https address; raise ScriptError where it fails or is larger than the table."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ScriptError(f"{url!r} is not an http or https address.")
    try:
        with urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 (the scheme is checked above)
            content: bytes = answer.read(_LARGEST + 1)
            promised = answer.headers.get("Content-Length")
    except (URLError, OSError, http.client.HTTPException, ValueError) as error:
        raise ScriptError(f"{url} can't be downloaded: {error}.", by_hand(download)) from error
    if len(content) > _LARGEST:
        raise ScriptError(f"{url} has more than {_LARGEST:,} bytes: it is not the table.", by_hand(download))
    if promised is not None and promised.isdigit() and int(promised) != len(content):
        raise ScriptError(f"{url} broke off after {len(content):,} of {promised} bytes.", "Try again.")
    return content


def table_in(content: bytes, url: str, download: Download) -> bytes:
    """Return the table: the declared member of a zip archive, or the content itself where it is not an archive.

    Raises ScriptError where the archive is damaged, lacks that file, or unpacks to more than the table could have.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = [entry for entry in archive.infolist() if PurePosixPath(entry.filename).name == download.member]
            if len(found) != 1:
                raise ScriptError(
                    f"The archive at {url} holds {len(found)} files named {download.member}, not one.",
                    by_hand(download),
                )
            with archive.open(found[0]) as stream:
                table = stream.read(_LARGEST + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ScriptError(f"The archive at {url} is damaged: {error}.", "Try again.") from error
    if len(table) > _LARGEST:
        raise ScriptError(f"{download.member} in the archive at {url} is too large to be the table.", by_hand(download))
    return table


def check_published(path: Path, dataset: Dataset, download: Download) -> str:
    """Check a table row by row (InputError) and against the published totals (ScriptError); describe it in a line."""
    checked = checked_file(path, dataset, Purpose.TRAINING, required=dataset.answers)
    rows, total = checked.report["rows"]["used"], pc.sum(checked.rows[dataset.target]).as_py()
    period = f", {checked.report['first']} to {checked.report['last']}" if dataset.time is not None else ""
    words = dataset.words
    found = f"{rows:,} {words.row.many}{period}, {total:,} {words.unit.many}"
    if not any((edition.rows, edition.target_sum) == (rows, total) for edition in download.editions):
        editions = " or ".join(
            f"{edition.rows:,} {words.row.many} with {edition.target_sum:,.0f} {words.unit.many}"
            for edition in download.editions
        )
        raise ScriptError(
            f"This is not the published table: it has {found}; the published one has {editions}.",
            "A table of your own needs no download: give it to bikeshare demo --data FILE.",
        )
    return found


def main(arguments: Sequence[str]) -> None:
    """Run the program."""
    parser = program_parser(__doc__, EXAMPLES)
    parser.add_argument("--dataset", default=DEFAULT_DATASET, choices=dataset_names(), help="which table")
    parser.add_argument("--url", help="zip archive with the table, or the CSV itself (default: the declared one)")
    parser.add_argument("--output", type=Path, help="where it goes (default: its own name, here)")
    parser.add_argument("--sha256", help="refuse a table with another SHA-256")
    request = parser.parse_args(arguments)
    dataset = declared(request.dataset)
    download = dataset.download
    if download is None:
        raise ScriptError(f"The declaration of {request.dataset} does not say where the table can be had.")
    url, output = request.url or download.url, request.output or Path(download.member)
    table = table_in(downloaded(url, download), url, download)
    digest = hashlib.sha256(table).hexdigest()
    if request.sha256 is not None and request.sha256.lower() != digest:
        raise ScriptError(f"The table at {url} has SHA-256 {digest}, not {request.sha256.lower()}.", by_hand(download))
    with tempfile.TemporaryDirectory(prefix="table-") as directory:
        candidate = Path(directory) / download.member
        candidate.write_bytes(table)
        found = check_published(candidate, dataset, download)
    write_whole(output, table)
    write_whole(output.with_name(f"{output.name}.sha256"), f"{digest}  {output.name}\n".encode())
    print(f"{output}: {found}")
    print(f"SHA-256 {digest}, in {output.name}.sha256")
    print(f"Use it: bikeshare demo --data {output}")


if __name__ == "__main__":
    run_program(main)
