"""The reserve, and how a full disk is recognised and said."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from localmaker.errors import NoRoomError
from localmaker.state import room
from localmaker.state.databases import Database
from localmaker.state.room import Reserve, is_no_room, no_room_message, until_stored, with_reserve

SIZE = 4 << 20


@pytest.fixture
def reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reserve:
    found = Reserve(tmp_path / "reserve", SIZE)
    monkeypatch.setattr(room, "_reserve", [found])
    return found


def blocks(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_it_takes_up_room_and_gives_it_step_by_step(reserve: Reserve, tmp_path: Path) -> None:
    file = tmp_path / "reserve"
    assert blocks(file) >= SIZE
    given = 0
    while reserve.give():
        given += 1
        assert file.stat().st_size == SIZE - given * (1 << 20)
    assert given == 4
    assert reserve.is_short
    reserve.refill()
    assert not reserve.is_short
    assert blocks(file) >= SIZE


def test_what_makes_room_takes_as_much_of_it_as_it_needs(reserve: Reserve, tmp_path: Path) -> None:
    sizes = []

    def action() -> str:
        sizes.append((tmp_path / "reserve").stat().st_size)
        if len(sizes) < 3:
            raise OSError(errno.ENOSPC, "full")
        return "done"

    assert with_reserve(action) == "done"
    assert sizes == [SIZE, SIZE - (1 << 20), SIZE - (2 << 20)]
    assert not reserve.is_short  # there is room here


def test_other_errors_take_nothing(reserve: Reserve) -> None:
    with pytest.raises(PermissionError):
        with_reserve(_refuse)
    assert not reserve.is_short


def _refuse() -> None:
    raise PermissionError(errno.EACCES, "refused")


def test_a_full_database_is_recognised_and_its_transaction_is_gone(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db", "CREATE TABLE IF NOT EXISTS t (x BLOB)", 1)
    [(pages,)] = database.rows("PRAGMA page_count")
    database.rows(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO t VALUES ('small')")
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")

    with pytest.raises(sqlite3.OperationalError, match="full") as caught:
        fill()
    assert is_no_room(caught.value)
    assert database.rows("SELECT count(*) FROM t") == [(0,)]
    message = no_room_message(caught.value, tmp_path)
    assert "nothing has changed: database or disk is full" in message
    assert f"Its state is in {tmp_path}, and " in message
    assert "MiB are free there" in message
    with database.transaction() as connection:
        connection.execute("INSERT INTO t VALUES ('small')")
    database.close()


def test_one_transaction_may_hold_others(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "a.db", "CREATE TABLE IF NOT EXISTS t (x)", 1)) as database:

        def insert_twice() -> None:
            for _ in range(2):
                with database.transaction() as connection:
                    connection.execute("INSERT INTO t VALUES (1)")
            raise OSError(errno.EDQUOT, "over its quota")

        with pytest.raises(OSError, match="quota"):
            database.whole(insert_twice, releases=False)
        assert database.rows("SELECT count(*) FROM t") == [(0,)]


def test_an_end_is_stored_when_there_is_room_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_reserve", [])
    left = [OSError(errno.ENOSPC, "full"), OSError(errno.EIO, "broken")]
    waited: list[float] = []

    def action() -> str:
        if left:
            raise left.pop()
        return "stored"

    assert until_stored(action, lambda seconds: bool(waited.append(seconds)), "the end of x") == "stored"
    assert waited == [1.0, 1.0]
    assert caplog.text.count("the end of x cannot be stored") == 1
    with pytest.raises(NoRoomError, match="the end of x is not stored"):
        until_stored(_full, lambda _: True, "the end of x")


def _full() -> None:
    raise OSError(errno.ENOSPC, "full")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, ""), True),
        (OSError(errno.EFBIG, ""), True),
        (FileNotFoundError(errno.ENOENT, ""), False),
        (NoRoomError(""), True),
        (ValueError(), False),
    ],
)
def test_recognition(error: Exception, expected: bool) -> None:
    assert is_no_room(error) is expected
