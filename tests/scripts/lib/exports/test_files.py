from __future__ import annotations

import hashlib
import pickle
import shutil
import stat
import subprocess

import joblib
import pytest

from analysis.model.artefact import read_model
from scripts.lib import program
from scripts.lib.exports.files import checksum_file, document_of, read_export, write_exports
from scripts.lib.program import ExportRefusedError, ScriptError


@pytest.fixture
def document(trained):
    return document_of(read_model(trained.model_dir), "model.tar.gz", "0" * 64)


@pytest.fixture
def written(document, tmp_path):
    return write_exports(document, tmp_path / "exports", "model-1.0")


def test_two_formats_each_with_a_checksum_and_nothing_else(written, tmp_path) -> None:
    assert sorted(path.name for path in (tmp_path / "exports").iterdir()) == [
        "model-1.0.joblib", "model-1.0.joblib.sha256", "model-1.0.pickle", "model-1.0.pickle.sha256",
    ]  # fmt: skip
    assert {path.suffix for path in written} == {".pickle", ".joblib"}


def test_both_hold_the_model_bit_for_bit(written, trained) -> None:
    assert [read_export(path) for path in written] == [read_model(trained.model_dir)] * 2


def test_ordinary_readers_open_them(written, document) -> None:
    """Anyone who trusts the file needs nothing of this project."""
    pickled, joblibbed = written
    assert pickle.loads(pickled.read_bytes()) == document  # noqa: S301
    assert joblib.load(joblibbed) == document


def test_sha256sum_agrees(written) -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not installed")
    for path in written:
        done = subprocess.run(
            ["sha256sum", "--check", "--strict", checksum_file(path).name],
            cwd=path.parent, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == f"{path.name}: OK\n"


def test_the_same_model_gives_the_same_bytes(written, document, tmp_path) -> None:
    before = {path: path.read_bytes() for path in written}
    assert write_exports(document, tmp_path / "exports", "model-1.0") == written
    assert {path: path.read_bytes() for path in written} == before


def test_colleagues_may_read_them(written) -> None:
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o644 for path in written)


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "-x", "a b", "x" * 200, "=1"])
def test_names_that_are_no_file_names(document, tmp_path, name: str) -> None:
    with pytest.raises(ScriptError, match="is not a name for an export"):
        write_exports(document, tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_can_not_be_made(document, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ScriptError, match="can't be written"):
        write_exports(document, tmp_path / "file" / "exports", "model")


def test_interrupted_while_replacing_leaves_the_old_pair_whole(written, document, tmp_path, monkeypatch) -> None:
    before = {path.name: path.read_bytes() for path in (tmp_path / "exports").iterdir()}

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program.os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        write_exports({**document, "intercept": 1.0}, tmp_path / "exports", "model-1.0")
    assert {path.name: path.read_bytes() for path in (tmp_path / "exports").iterdir()} == before


def test_killed_between_file_and_checksum_is_refused(written, document, tmp_path) -> None:
    other = write_exports({**document, "intercept": 1.0}, tmp_path / "other", "model-1.0")
    for old, new in zip(written, other, strict=True):
        old.write_bytes(new.read_bytes())
        with pytest.raises(ExportRefusedError, match="is not the file that was exported"):
            read_export(old)


def test_no_checksum_no_loading(written) -> None:
    for path in written:
        checksum_file(path).unlink()
        with pytest.raises(ExportRefusedError, match=r"has no checksum: .*\.sha256 is not there"):
            read_export(path)


def test_one_changed_bit_is_enough(written) -> None:
    for path in written:
        content = bytearray(path.read_bytes())
        content[-20] ^= 1
        path.write_bytes(content)
        with pytest.raises(ExportRefusedError, match=hashlib.sha256(content).hexdigest()):
            read_export(path)


@pytest.mark.parametrize(
    "text", ["", "\n", "abc", "{digest}", "{digest} {name}", "{upper}  {name}\n", "{digest}  {name}\nmore\n", "\udcff"]
)
def test_what_is_no_checksum_file(written, text: str) -> None:
    path = written[0]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    content = text.replace("{digest}", digest).replace("{upper}", digest.upper()).replace("{name}", path.name)
    checksum_file(path).write_bytes(content.encode("utf-8", errors="surrogateescape"))
    with pytest.raises(ExportRefusedError, match="is not a checksum file"):
        read_export(path)


@pytest.mark.parametrize("between", ["  ", " *"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_forms_of_a_checksum_line(written, between: str, end: str) -> None:
    path = written[0]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    checksum_file(path).write_bytes(f"{digest}{between}{path.name}{end}".encode())
    assert read_export(path).selected


def test_the_checksum_of_another_file(written) -> None:
    renamed = written[0].rename(written[0].with_name("renamed.pickle"))
    shutil.copy(checksum_file(written[0]), checksum_file(renamed))
    with pytest.raises(ExportRefusedError, match=r"is the checksum of 'model-1\.0\.pickle'"):
        read_export(renamed)


def test_a_right_checksum_does_not_make_a_pickle_safe(written, tmp_path) -> None:
    """Whoever can replace the file can replace the checksum beside it."""
    for path in written:
        path.write_bytes(b"\x80\x04cposix\nsystem\n(\x8c\x0etouch " + b"marked-xtR.")
        line = f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        checksum_file(path).write_text(line)
        with pytest.raises(ExportRefusedError, match=r"names 'posix\.system'"):
            read_export(path)


def test_huge_files_are_not_read(written) -> None:
    with written[0].open("ab") as stream:
        stream.truncate(10**9)
    with pytest.raises(ExportRefusedError, match="1,000,000,000 bytes"):
        read_export(written[0])


def test_a_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(ScriptError, match="is not there"):
        read_export(tmp_path / "absent.pickle")
    with pytest.raises(ScriptError, match="is a directory"):
        read_export(tmp_path)
