from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.runtime.errors import SettingsError
from analysis.runtime.upload import claim_of, claim_text, identity_of, prediction_name, read_claim

IDENTITY = "0123456789abcdef" * 4
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=60)


@pytest.mark.parametrize(
    ("key", "stem"),
    [
        ("raw/training/day.csv", "day"),
        ("raw/training/day.CSV", "day"),
        ("raw/training/day.v2.csv.gz", "day.v2"),
        ("raw/training/day.CSV.GZ", "day"),
        ("raw/training/day.txt.gz", "day.txt"),
        ("raw/training/2024/a b+c%20d.csv", "a-b-c-20d"),
        ("raw/training/Größe_été.csv", "Gro-e_ete"),
        ("raw/training/日本.csv", "file"),
        ("raw/training/.hidden.csv", "hidden"),
        ("raw/training/_x_.csv", "x"),
        ("raw/training/../../etc/passwd", "passwd"),
        ("raw/training/=cmd|' C calc'!A0.csv", "cmd-C-calc-A0"),
        ("raw/training/" + "n" * 300 + ".csv", "n" * 80),
        ("", "file"),
    ],
)
def test_names_of_outputs(key: str, stem: str) -> None:
    assert prediction_name(key, IDENTITY) == f"{stem}-0123456789ab"


@given(TEXT)
def test_any_key_gives_a_name_that_is_safe_everywhere(key: str) -> None:
    name = prediction_name(key, IDENTITY)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}-0123456789ab", name)


VERSION = st.tuples(TEXT, TEXT, TEXT)


@given(VERSION, VERSION)
def test_only_the_same_object_version_has_the_same_identity(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert (identity_of(*one) == identity_of(*other)) == (one == other)


CLAIM = claim_of("b", "raw/ü +%.csv", "v1", "2026-01-02T03:04:05.006Z")


def test_a_claim_names_day_and_file() -> None:
    assert (CLAIM.dt, CLAIM.prediction_name) == ("2026-01-02", f"u-{CLAIM.identity[:12]}")
    with pytest.raises(SettingsError, match="does not name a file"):
        claim_of("b", "/", "v1", "2026-01-02T03:04:05.006Z")


def test_a_claim_is_read_as_it_was_written(tmp_path) -> None:
    (tmp_path / "claim.json").write_text(claim_text(CLAIM), encoding="utf-8")
    assert read_claim(tmp_path) == CLAIM


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "can't be read"),
        ('{"bucket": "b"}', r"claim\.json lacks key, version_id"),
        ("[]", "not a JSON object"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "claim.json").write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_claim(tmp_path)
