"""Tables for projects whose public data cannot be had everywhere: seeded, with the same columns.

What a table means does not matter here, only that the programs which read it find its columns and kinds of values.
"""

from __future__ import annotations

import csv
import io
import struct
import tarfile
from collections.abc import Iterable

import numpy as np

_SEED = 2026
_ROWS = 1000
#: Below it about two rows of five lie.
_RISKY = 1.5
#: Above it about one row of three lies.
_RICH = 14
_ANSWERS = ("No", "Yes")


def _csv(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def abalone_batch() -> bytes:
    """Return rows for the abalone model of the samples, without a header: seven scaled measures, one of three sexes."""
    draw = np.random.default_rng(_SEED)
    measures = draw.normal(size=(_ROWS, 7)).round(6).tolist()
    sexes = np.eye(3, dtype=int)[draw.integers(3, size=_ROWS)].tolist()
    return _csv([*measure, *sex] for measure, sex in zip(measures, sexes, strict=True))


def german_credit() -> bytes:
    """Return a table with the columns of UCI's German credit data, as the samples name them."""
    draw = np.random.default_rng(_SEED)
    numbers = {
        "duration": (4, 72),
        "credit_amount": (250, 18424),
        "installment_rate": (1, 4),
        "present_residence_since": (1, 4),
        "age": (19, 75),
        "number_existing_credits": (1, 4),
        "number_liable_people": (1, 2),
    }
    levels = {
        "checking_account_status": 4,
        "credit_history": 5,
        "purpose": 10,
        "savings_account": 5,
        "employment_since": 5,
        "personal_status": 4,
        "other_debtors": 3,
        "property": 4,
        "other_installment_plans": 3,
        "housing": 3,
        "job": 4,
        "telephone": 2,
        "foreign_worker": 2,
    }
    rows: list[list[object]] = [[*numbers, *levels, "risk"]]
    for _ in range(_ROWS):
        values: list[object] = [draw.integers(low, high, endpoint=True) for low, high in numbers.values()]
        kinds = [draw.integers(count) for count in levels.values()]
        risky = kinds[0] + kinds[1] / 5 + draw.normal(0, 0.5) < _RISKY
        rows.append([*values, *(f"A{kind}" for kind in kinds), "high risk" if risky else "low risk"])
    return _csv(rows)


def breast_cancer() -> bytes:
    """Return UCI's breast cancer data as scikit-learn ships them: number, diagnosis, thirty measures, no header."""
    from sklearn.datasets import load_breast_cancer

    table = load_breast_cancer()
    return _csv(
        [842_000 + number, "MB"[int(target)], *measures]
        for number, (measures, target) in enumerate(zip(table.data.tolist(), table.target, strict=True))
    )


def california_housing() -> bytes:
    """Return an archive with a table like StatLib's California housing data: eight measures and a value in dollars."""
    draw = np.random.default_rng(_SEED)
    income, age = draw.gamma(4, 1, _ROWS * 4), draw.integers(1, 53, _ROWS * 4)
    rooms, households = draw.integers(200, 6000, _ROWS * 4), draw.integers(100, 1500, _ROWS * 4)
    north = draw.uniform(32.5, 42, _ROWS * 4)
    value = 45_000 * income - 12_000 * (north - 37) + draw.normal(0, 50_000, _ROWS * 4) + 60_000
    columns = [-80 - north, north, age, rooms, rooms // 5, households * 3, households, income, value.clip(15_000)]
    table = _csv(zip(*(column.round(4).tolist() for column in columns), strict=True))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("CaliforniaHousing/cal_housing.data")
        member.size = len(table)
        tar.addfile(member, io.BytesIO(table))
    return packed.getvalue()


def card_transactions() -> bytes:
    """Return card transactions with the columns of IBM's synthetic ones; fraud is likelier online and after errors."""
    draw = np.random.default_rng(_SEED)
    errors = ["", "", "", "", "Insufficient Balance", "Technical Glitch", "Bad PIN", "Bad CVV"]
    ways = ["Swipe Transaction", "Chip Transaction", "Online Transaction"]
    names = "User,Card,Year,Month,Day,Time,Amount,Use Chip,Merchant Name,Merchant City,Merchant State,Zip,MCC"
    rows: list[list[object]] = [[*names.split(","), "Errors?", "Is Fraud?"]]
    for number in range(_ROWS):
        error, way = draw.integers(len(errors)), draw.integers(len(ways))
        fraud = draw.random() < (0.02, 0.05, 0.1)[way] * (3 if errors[error] else 1)
        time, place = [2019, 1 + number % 12, 1 + number % 28, "12:00"], [number, "La Verne", "CA", 91750]
        amount, kind = f"${draw.gamma(2, 30):.2f}", draw.choice([4829, 5300, 5411, 5912])
        rows.append([0, draw.integers(5), *time, amount, ways[way], *place, kind, errors[error], _ANSWERS[int(fraud)]])
    return _csv(rows)


def tweets() -> bytes:
    """Return short texts and their sentiment, which some of their words give away."""
    draw = np.random.default_rng(_SEED)
    telling = [("Negative", ["sad", "late"]), ("Neutral", ["today", "noon"]), ("Positive", ["great", "love"])]
    words = ["the", "train", "@you", "my", "flight", "weather", "was", "is", "#news", "http://t.co/1", "again", "so"]
    rows: list[list[object]] = [["text", "Sentiment"]]
    for _ in range(_ROWS):
        sentiment, signs = telling[int(draw.integers(len(telling)))]
        text = [*(words[number] for number in draw.integers(len(words), size=5)), signs[int(draw.integers(2))], "now"]
        rows.append([" ".join(text), sentiment])
    return _csv(rows)


def adult() -> bytes:
    """Return a table with the columns of UCI's adult data, without a header; texts follow a space, as there."""
    return _adult("")


def adult_test() -> bytes:
    """Return its test part: one line to skip first, and a full stop after the class."""
    return b"|1x3 Cross validator\n" + _adult(".")


def _adult(ending: str) -> bytes:
    draw = np.random.default_rng(_SEED)
    rows: list[list[object]] = []
    for _ in range(_ROWS):
        age, years, hours = draw.integers(17, 80), draw.integers(1, 16), draw.integers(10, 60)
        texts = ["Private", "11th", "Never-married", "Sales", "Own-child", "White", draw.choice(["Male", "Female"])]
        work, school, marriage, job, relation, race, sex = (f" {text}" for text in texts)
        rich = " >50K" if years + hours / 10 + draw.normal(0, 2) > _RICH else " <=50K"
        numbers = [draw.integers(0, 5000), 0, hours]
        rows.append([age, work, draw.integers(20_000, 400_000), school, years, marriage, job, relation, race, sex])
        rows[-1] += [*numbers, " United-States", f"{rich}{ending}"]
    return _csv(rows)


def digits_train_images() -> bytes:
    """Return four fifths of UCI's handwritten digits as scikit-learn ships them, in MNIST's size and form."""
    return _digits(slice(None, -_ROWS // 3), images=True)


def digits_train_labels() -> bytes:
    """Return what they show."""
    return _digits(slice(None, -_ROWS // 3), images=False)


def digits_test_images() -> bytes:
    """Return the other digits, as :func:`digits_train_images` does."""
    return _digits(slice(-_ROWS // 3, None), images=True)


def digits_test_labels() -> bytes:
    """Return what they show."""
    return _digits(slice(-_ROWS // 3, None), images=False)


def _digits(part: slice, *, images: bool) -> bytes:
    """Return a part in MNIST's form (IDX): big-endian type and sizes, then bytes. Pixels of 8 x 8 are 3 x 3 each."""
    from sklearn.datasets import load_digits

    table = load_digits()
    if not images:
        labels = table.target[part].astype(np.uint8)
        return struct.pack(">ii", 0x801, len(labels)) + bytes(labels.tobytes())
    large = (table.images[part] * (255 / 16)).astype(np.uint8).repeat(3, axis=1).repeat(3, axis=2)
    pixels = np.pad(large, ((0, 0), (2, 2), (2, 2)))
    return struct.pack(">iiii", 0x803, *pixels.shape) + bytes(pixels.tobytes())
