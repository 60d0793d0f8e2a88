"""A generated bike-sharing table, so that a demonstration needs no download.

THE NUMBERS ARE GENERATED, not observed, and say nothing about any city. They have the columns of the published daily
table (dates as dd-mm-yy, degrees Celsius, percent, km/h) and plausible relations: warm dry days bring more rides, the
second year more than the first, rain and wind fewer.
"""

import csv
import math
import random
from datetime import date, timedelta
from pathlib import Path

FILE_NAME = "generated-sample.csv"
FIRST_DAY = date(2018, 1, 1)
#: The table has two years; its ``yr`` column has no third.
LONGEST = 730
DEFAULT_SEED = 20180101
_HOLIDAYS = frozenset(
    {(1, 1), (1, 15), (2, 19), (4, 16), (5, 28), (7, 4), (9, 3), (10, 8), (11, 12), (11, 22), (12, 25)}
)
_CLEAR, _MIST, _RAIN = 1, 2, 3
#: Probability of clear and of mist on the day after each weather; the rest is rain.
_NEXT_WEATHER = {_CLEAR: (0.72, 0.26), _MIST: (0.48, 0.46), _RAIN: (0.35, 0.50)}


class _Draws(random.Random):
    """Random numbers from `random()` alone: the only sequence that Python promises to keep."""

    def normal(self, deviation: float) -> float:
        """Return a normal number with mean 0 (Box-Muller)."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.random()))
        return deviation * radius * math.cos(2.0 * math.pi * self.random())


def sample_rows(seed: int = DEFAULT_SEED, days: int = LONGEST) -> list[dict[str, str]]:
    """Return consecutive days from 1 January 2018, as text by column; the same for the same arguments.

    Raises:
        ValueError: unless 1 <= days <= 730.
    """
    if not 1 <= days <= LONGEST:
        raise ValueError(f"days must be 1 to {LONGEST} (the table covers two years), not {days}.")
    draws = _Draws(seed)
    situation, anomaly = _CLEAR, 0.0
    rows = []
    for number in range(days):
        day = FIRST_DAY + timedelta(days=number)
        situation = _next_situation(situation, draws.random())
        anomaly = 0.7 * anomaly + draws.normal(2.2)
        rows.append(_row(number + 1, day, situation, anomaly, draws))
    return rows


def write_sample(path: Path, seed: int = DEFAULT_SEED, days: int = LONGEST, *, target: bool = True) -> Path:
    """Write the table as CSV (UTF-8, line feeds) to a file, or as FILE_NAME to a directory; return the file's path.

    Without ``target`` casual, registered and cnt are left out: such a file is for scoring only.
    """
    file = path / FILE_NAME if path.is_dir() else path
    columns = INPUT_COLUMNS + (TARGET_COLUMNS if target else ())
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(sample_rows(seed, days))
    return file


def _next_situation(situation: int, draw: float) -> int:
    clear, mist = _NEXT_WEATHER[situation]
    return _CLEAR if draw < clear else _MIST if draw < clear + mist else _RAIN


def _row(number: int, day: date, situation: int, anomaly: float, draws: _Draws) -> dict[str, str]:
    phase = 2.0 * math.pi * (day.timetuple().tm_yday - 20) / 365.0
    temperature = _within(19.0 - 11.0 * math.cos(phase) + anomaly - 1.5 * (situation == _RAIN), 1.0, 38.0)
    humidity = _within({_CLEAR: 56.0, _MIST: 70.0, _RAIN: 86.0}[situation] + draws.normal(9.0), 20.0, 99.0)
    wind = _within(12.5 + 2.0 * math.cos(phase) + 2.5 * (situation == _RAIN) + draws.normal(4.5), 1.5, 45.0)
    feels_like = _within(1.12 * temperature + 0.9 - 0.05 * (wind - 12.5) + draws.normal(0.4), 0.5, 48.0)
    weekday = day.isoweekday() % 7
    weekend = weekday in {0, 6}
    # A holiday that falls on a weekend is not one in the table: its `workingday` would say nothing new.
    holiday = (day.month, day.day) in _HOLIDAYS and not weekend
    working = not weekend and not holiday
    season = _season(day)
    year = day.year - FIRST_DAY.year
    comfort = 105.0 * temperature - 1.1 * max(0.0, temperature - 24.0) ** 2
    discomfort = 11.0 * (humidity - 60.0) + 42.0 * (wind - 12.5)
    loss = {_CLEAR: 0.0, _MIST: 380.0, _RAIN: 1900.0}[situation]
    rides = 1450.0 + 1950.0 * year + comfort - discomfort - loss + (0.0, 500.0, 450.0, 950.0)[season - 1]
    casual_share = 0.13 if working else 0.30
    casual = max(2, round(casual_share * rides * (0.6 + 0.02 * temperature) + draws.normal(110.0)))
    registered = max(20, round((1.0 - casual_share) * rides + 250.0 * working + draws.normal(520.0)))
    return {
        "instant": str(number),
        "dteday": day.strftime("%d-%m-%y"),
        "season": str(season),
        "yr": str(year),
        "mnth": str(day.month),
        "holiday": str(int(holiday)),
        "weekday": str(weekday),
        "workingday": str(int(working)),
        "weathersit": str(situation),
        "temp": f"{temperature:.6f}",
        "atemp": f"{feels_like:.6f}",
        "hum": f"{humidity:.4f}",
        "windspeed": f"{wind:.6f}",
        "casual": str(casual),
        "registered": str(registered),
        "cnt": str(casual + registered),
    }


def _season(day: date) -> int:
    """Return 1 winter, 2 spring, 3 summer or 4 autumn, with the first days of the published table."""
    starts = ((3, 21, 2), (6, 21, 3), (9, 23, 4), (12, 21, 1))
    return next((season for month, first, season in reversed(starts) if (day.month, day.day) >= (month, first)), 1)


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


_COLUMNS = tuple(sample_rows(days=1)[0])
INPUT_COLUMNS, TARGET_COLUMNS = _COLUMNS[:-3], _COLUMNS[-3:]
