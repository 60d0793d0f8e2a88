"""What happens follows from the seed and the calls before, and never goes on for ever."""

from __future__ import annotations

from localmaker.habits.decisions import Decisions, Fate, Subject

BUCKETS = [Subject("s3:PutBucketPolicy", f"arn:aws:s3:::bucket-{number}") for number in range(40)]


def fates(seed, subjects, calls=20):
    decisions = Decisions(seed)
    return {one: [decisions.fate(one, changes=True) for _ in range(calls)] for one in subjects}


def test_a_seed_repeats_itself_whatever_the_order_of_the_resources():
    assert fates(7, BUCKETS) == fates(7, BUCKETS[::-1])
    assert fates(7, BUCKETS) != fates(8, BUCKETS)


def test_every_fate_comes_up_and_no_call_fails_more_than_three_times_in_a_row():
    found = fates(1, BUCKETS, calls=60)
    assert {fate for one in found.values() for fate in one} == set(Fate)
    for one in found.values():
        text = "".join("." if fate is Fate.ANSWERED else "x" for fate in one)
        assert "xxxx" not in text


def test_what_only_reads_is_never_done_and_lost():
    decisions = Decisions(3)
    reading = {decisions.fate(one, changes=False) for one in BUCKETS for _ in range(60)}
    assert reading == {Fate.ANSWERED, Fate.THROTTLED, Fate.FAILED}


def test_a_habit_lasts_from_no_call_to_the_most_that_it_may():
    decisions = Decisions(5)
    assert {decisions.count("aborted", one, 4) for one in BUCKETS for _ in range(5)} == {0, 1, 2, 3, 4}
