"""No pickle that can do anything is carried out, however it is written."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import operator
import os
import pickle
import subprocess
import sys
import types
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from budgets import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scripts.lib.exports.safe_pickle import ALLOWED_INSTRUCTIONS, _NamelessUnpickler, load_data
from scripts.lib.program import ExportRefusedError

DATA: dict[str, Any] = {
    "text": "é\n" * 200,
    "long": ["ab", "ab", {"k": "ab"}],
    "numbers": [0, -1, 255, 65536, -(2**31), 2**40, 0.1, -0.0, 5e-324, 1.7976931348623157e308],
    "none": None,
    "truths": [True, False],
    "": {},
    "many": [float(n) for n in range(3000)],
}


class Calls:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


class Stateful:
    """Pickles as an ordinary instance with state."""

    def __init__(self) -> None:
        self.state = 1


def touching(path: Path) -> str:
    return f"touch {path}"


def dumped(value: object, protocol: int = 4) -> bytes:
    return pickle.dumps(value, protocol=protocol)


def joblib_bytes(value: object, **options: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(value, buffer, **{"protocol": 4, **options})
    return buffer.getvalue()


def test_data_comes_back_bit_for_bit() -> None:
    for content in (dumped(DATA), joblib_bytes(DATA)):
        loaded = load_data(content, "x")
        assert loaded == DATA
        assert repr(loaded) == repr(DATA)


def test_no_allowed_instruction_can_name_call_or_build() -> None:
    dangerous = {"GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "REDUCE", "BUILD", "EXT1", "EXT2",
                 "EXT4", "PERSID", "BINPERSID", "NEXT_BUFFER", "READONLY_BUFFER"}  # fmt: skip
    assert not ALLOWED_INSTRUCTIONS & dangerous


def attacks(mark: Path) -> dict[str, tuple[object, str]]:
    """Objects whose loading runs a command or reaches for one, and the name that the refusal has to say."""
    command = touching(mark)
    return {
        "os.system": (Calls(os.system, command), "posix.system"),
        "builtins.eval": (Calls(eval, f"__import__('os').system({command!r})"), "builtins.eval"),
        "builtins.exec": (Calls(exec, f"import os; os.system({command!r})"), "builtins.exec"),
        "subprocess": (Calls(subprocess.check_call, ["touch", str(mark)]), "subprocess.check_call"),
        "deep inside": ({"a": [{"b": [1.0, {"c": Calls(os.system, command)}]}]}, "posix.system"),
        "an argument of an argument": (Calls(list, [Calls(dict, [("k", Calls(os.system, command))])]), "builtins.list"),
        "getattr on a module": (Calls(getattr, Calls(__import__, "os"), "system"), "builtins.getattr"),
        "a chain of getattr": (
            Calls(functools.reduce, getattr, ["__class__", "__base__", "__subclasses__"], ()),
            "_functools.reduce",
        ),
        "methodcaller": (Calls(operator.methodcaller, "system", command), "operator.methodcaller"),
        "a partial": (functools.partial(os.system, command), "functools.partial"),
        "an instance with state": (Stateful(), "Stateful"),
        "a class": (OrderedDict, "collections.OrderedDict"),
        "a harmless collection": (OrderedDict(a=1.0), "collections.OrderedDict"),
        "a namespace": (types.SimpleNamespace(a=1), "types.SimpleNamespace"),
        "a complex number": (1j, "builtins.complex"),
        "an array of numbers": (np.arange(3.0), "numpy"),
        "an array of objects": (np.array([Calls(os.system, command)], dtype=object), ""),
        "a numpy number": (np.float64(1.0), "numpy"),
        "a nested array": ({"coefficients": np.arange(3.0)}, "numpy"),
        "a tuple": ((1.0, 2.0), "TUPLE2"),
        "bytes": (b"abc", "SHORT_BINBYTES"),
        "a nested pickle": (Calls(pickle.loads, dumped(Calls(os.system, command))), "_pickle.loads"),
        "a set": ({1.0}, "EMPTY_SET"),
    }


NAMES = sorted(attacks(Path("x")))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("write", [dumped, joblib_bytes])
def test_every_attack_is_refused_unrun(tmp_path, monkeypatch, name: str, write) -> None:
    mark = tmp_path / "mark"
    value, says = attacks(mark)[name]
    content = write(value)
    monkeypatch.setattr(_NamelessUnpickler, "load", carried_out, raising=False)
    with pytest.raises(ExportRefusedError, match=r"not loaded|damaged") as refused:
        load_data(content, "evil.pickle")
    assert says in str(refused.value)
    assert not mark.exists()


def carried_out(*_: object) -> None:
    pytest.fail("an instruction was carried out before the check had ended")


@pytest.mark.parametrize("name", NAMES)
def test_the_second_door_holds_alone(tmp_path, name: str) -> None:
    """The unpickler without the check before it: what needs a name does not load."""
    mark = tmp_path / "mark"
    value, _ = attacks(mark)[name]
    if name in {"a tuple", "bytes", "a set"}:
        assert _NamelessUnpickler(io.BytesIO(dumped(value))).load() == value
    else:
        with pytest.raises(pickle.UnpicklingError, match="allow-list"):
            _NamelessUnpickler(io.BytesIO(dumped(value))).load()
    assert not mark.exists()


def test_an_attack_hidden_from_the_last_instruction(tmp_path) -> None:
    """A second pickle after the end of a good one is never reached, and the file is refused all the same."""
    mark = tmp_path / "mark"
    content = dumped({"a": 1.0}) + dumped(Calls(os.system, touching(mark)))
    with pytest.raises(ExportRefusedError, match="bytes after its end"):
        load_data(content, "x")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x80\x04cos\nsystem\n.", r"'os\.system' \(byte 2\)"),
        (b"\x80\x04(S'id'\nios\nsystem\n.", "instruction STRING"),
        (b"\x80\x04(ios\nsystem\n.", r"'os\.system'"),
        (b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94h\x00h\x01\x93.", r"'os\.system'"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x8c\x03cat0\x93.", "not on the allow-list"),
        (b"\x80\x04\x93.", "not on the allow-list"),
        (b"\x80\x04\x82\x01.", "EXT1"),
        (b"\x80\x04Psomewhere\n.", "PERSID"),
        (b"\x80\x04}\x94}\x94b.", "BUILD"),
        (b"\x80\x04}r\xff\xff\xff\x7f.", "LONG_BINPUT"),
        (b"\x80\x04\x8c\x06\x1b[31m\xe9\x93.", "damaged"),
        (b"\x80\x04\x8c\x05\x1b[31m\x8c\x01x\x93.", r"'\\x1b\[31m\.x'"),
        (b"\x80\x04.", "damaged"),
        (b"\x80\x04N", "damaged"),
        (b"\x80\x04(]s.", "damaged"),
        (b"\x80\x04}]Ns.", "damaged"),
        (b"\x80\x04h\x07.", "damaged"),
        (b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f}.", "damaged"),
        (b"\x80\x04", "damaged"),
        (b"", "not a pickle"),
        (b"{}", "not a pickle"),
        (b"\x80\x02}.", "protocol 4"),
        (b"\x80\x05}.", "protocol 4"),
    ],
)
def test_hand_written_programs(content: bytes, says: str) -> None:
    with pytest.raises(ExportRefusedError, match=says) as refused:
        load_data(content, "x")
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 5])
def test_other_protocols_are_refused_even_with_a_harmless_name(tmp_path, protocol: int) -> None:
    mark = tmp_path / "mark"
    for value in (Calls(os.system, touching(mark)), {"a": 1.0}):
        with pytest.raises(ExportRefusedError, match="protocol 4"):
            load_data(dumped(value, protocol), "x")
    assert not mark.exists()


@pytest.mark.parametrize("method", ["zlib", "gzip", "bz2", "lzma", "xz"])
@pytest.mark.parametrize("evil", [True, False])
def test_compressed_joblib_is_refused_unopened(tmp_path, method: str, evil: bool) -> None:
    mark = tmp_path / "mark"
    content = joblib_bytes(Calls(os.system, touching(mark)) if evil else DATA, compress=(method, 3))
    with pytest.raises(ExportRefusedError, match="is compressed"):
        load_data(content, "x.joblib")
    assert not mark.exists()


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress, bz2.compress, lzma.compress])
def test_a_bomb_is_not_unpacked(pack) -> None:
    with pytest.raises(ExportRefusedError, match="is compressed"):
        load_data(pack(bytes(10_000_000)), "x")


def test_joblibs_own_loader_would_have_run_it(tmp_path) -> None:
    """Why it is not used: the objects of an array go to an unrestricted pickle.load."""
    mark = tmp_path / "mark"
    content = joblib_bytes({"coefficients": np.array([Calls(os.system, touching(mark))], dtype=object)})
    with pytest.raises(ExportRefusedError):
        load_data(content, "x.joblib")
    assert not mark.exists()
    joblib.load(io.BytesIO(content))
    assert mark.exists()


SCALARS = st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats(allow_nan=False) | st.text()
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=40)


@settings(deadline=None)
@given(TREES)
def test_any_plain_data_comes_back(value) -> None:
    assert load_data(dumped(value), "x") == value
    assert load_data(joblib_bytes(value), "x") == value


@settings(deadline=None, max_examples=examples(400))
@given(st.binary(max_size=40))
@example(b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f")
def test_any_other_bytes_load_as_plain_data_or_are_refused(rest: bytes) -> None:
    try:
        value = load_data(b"\x80\x04" + rest, "x")
    except ExportRefusedError:
        return
    assert value is None or type(value) in {dict, list, str, int, float, bool}


@settings(deadline=None, max_examples=examples(400))
@given(st.data())
def test_a_damaged_export_loads_as_plain_data_or_is_refused(data) -> None:
    content = bytearray(dumped({"format": "x", "coefficients": {"a": 1.5, "b": [1, "t"]}}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(2, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        value = load_data(bytes(content), "x")
    except ExportRefusedError:
        return
    assert value is None or type(value) in {dict, list, str, int, float, bool}


def test_nothing_is_imported_by_a_refusal() -> None:
    assert "antigravity" not in sys.modules
    with pytest.raises(ExportRefusedError, match="antigravity"):
        load_data(b"\x80\x04\x8c\x0bantigravity\x94\x8c\x07geohash\x94\x93.", "x")
    assert "antigravity" not in sys.modules
