"""The bars over the log, the roll-ups that they come from, and the marks that time ranges are looked up in."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command

from echoadmin.log import histogram as histograms
from echoadmin.log.chain import instant
from echoadmin.log.histogram import histogram
from echoadmin.log.index.duties import follow_log
from echoadmin.log.index.following import catch_up, forget
from echoadmin.log.index.models import Mark, Roll
from echoadmin.log.index.rolls import ROLLS
from echoadmin.log.models import Entry
from echoadmin.log.reader import FilterError, filtered
from echoadmin.log.writer import append
from tests.integration.log.drafts import draft
from tests.integration.log.tampering import tamper

pytestmark = pytest.mark.django_db
START = datetime(2024, 5, 6, 7, 0, 0, tzinfo=UTC)
HOURS = timedelta(hours=1)


@pytest.fixture
def entries(db: None) -> None:
    """Two days: one entry a minute in the hour after 07:00, one an hour afterwards."""
    moments = [START + timedelta(minutes=i, seconds=30) for i in range(60)]
    moments += [START + timedelta(hours=i) for i in range(1, 48)]
    append(
        [
            draft(
                f"cv_{i % 2}", at=at, sender="ab"[i % 3 == 0], actor="Ann" if i % 5 == 0 else None,
                is_error=i % 7 == 0, persona_ref="pe_1", inference_id="i-1" if i < 3 else None,
            )
            for i, at in enumerate(moments)
        ]
    )  # fmt: skip
    tamper("UPDATE log_entry SET late = %s", False)  # as if they had been stored when they happened
    catch_up(ROLLS, newest(), batch=10)


def newest() -> int:
    return Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0


def span(after: datetime, before: datetime) -> dict[str, str]:
    return {"at_after": instant(after), "at_before": instant(before)}


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"sender": "a"},
        {"sender": "b"},
        {"conversation": "cv_1"},
        {"actor": "Ann"},
        {"is_error": "true"},
        {"persona": "pe_1"},
        {"kind": "app_message"},
        {"inference_id": "i-1"},
        {"event_type": "conversation.none"},
    ],
)
@pytest.mark.parametrize(("length", "most", "step"), [(1, 60, 60), (1, 30, 120), (48, 60, 3600), (48, 10, 21_600)])
def test_the_bars_are_the_counts_of_the_filtered_entries(
    entries: None, filters: dict[str, str], length: int, most: int, step: int
) -> None:
    ends = START + length * HOURS
    found = histogram({**filters, **span(START, ends)}, most)
    assert (found.step, found.filtered) == (step, True)
    assert found.start <= START < found.start + timedelta(seconds=step)
    expected = Counter((row.at - found.start) // timedelta(seconds=step) for row in filtered(filters) if row.at < ends)
    assert found.bars == [expected[bar] for bar in range(len(found.bars))]
    assert sum(found.bars) == sum(row.at < ends for row in filtered(filters))
    assert found.start + timedelta(seconds=step) * len(found.bars) >= ends


@pytest.mark.parametrize("filters", [{"sender": "a", "kind": "app_message"}, {"text": "hello"}, {"is_error": "false"}])
def test_with_more_than_one_filter_the_bars_count_all_and_say_so(entries: None, filters: dict[str, str]) -> None:
    found = histogram({**filters, **span(START, START + HOURS)})
    assert not found.filtered
    assert sum(found.bars) == 60


def test_without_a_time_range_the_bars_span_the_whole_log(entries: None) -> None:
    found = histogram({})
    assert sum(found.bars) == 107
    assert len(found.bars) <= 61
    assert found.start <= START


@pytest.mark.parametrize("seconds", [0, 0.25, 59.75])
def test_the_newest_entry_is_in_the_last_bar_whatever_the_second(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return START + timedelta(seconds=seconds, microseconds=1)

    monkeypatch.setattr(histograms, "datetime", Clock)
    append([draft(at=START)])
    tamper("UPDATE log_entry SET late = %s", False)
    catch_up(ROLLS, newest())
    assert histogram({}).bars[-1] == 1


def test_an_empty_log_has_empty_bars() -> None:
    assert sum(histogram({}).bars) == 0


def test_filters_that_can_not_be_are_refused(db: None) -> None:
    for params in (span(START + HOURS, START), {"kind": "sound"}, {"text": '"'}):
        with pytest.raises(FilterError):
            histogram(params)


def test_entries_that_are_pruned_are_no_longer_counted(entries: None) -> None:
    gone = list(filtered({"sender": "b"}).values_list("id", flat=True))
    forget(ROLLS, gone)
    assert sum(histogram({"sender": "b"}).bars) == 0
    assert sum(histogram({}).bars) == 107 - len(gone)


def test_marks_hold_each_minutes_ids_without_those_stored_late(entries: None) -> None:
    before = Mark.objects.count()
    append([draft("cv_late", at=START)])
    catch_up(ROLLS, newest())
    assert Mark.objects.count() == before
    for mark in Mark.objects.all():
        since = datetime.fromtimestamp(mark.minute * 60, UTC)
        ids = [row.pk for row in Entry.objects.filter(late=False, at__gte=since, at__lt=since + timedelta(minutes=1))]
        assert (mark.min_id, mark.max_id) == (min(ids), max(ids))


def test_time_ranges_are_right_whether_marked_or_not_or_only_partly(entries: None) -> None:
    def check() -> None:
        for low, high in ((0, 1), (0, 60), (59, 61), (-5, 0), (600, 1200), (2880, 3000)):
            after, before = START + timedelta(minutes=low), START + timedelta(minutes=high)
            expected = [row.pk for row in Entry.objects.order_by("id") if after <= row.at < before]
            assert [row.pk for row in filtered(span(after, before)).order_by("id")] == expected, (low, high)

    check()
    Mark.objects.filter(minute__gte=int(START.timestamp()) // 60 + 30).delete()
    check()
    Mark.objects.all().delete()
    check()


def test_the_duty_takes_in_what_is_new_and_says_how_far_it_is() -> None:
    append([draft(said="hello", at=datetime.now(UTC)) for _ in range(3)])
    assert (told := follow_log())
    assert "search: 3 entries" in told
    assert "rolls: 3 entries" in told
    assert follow_log() is None


def test_the_command_makes_everything_again(entries: None, capsys: pytest.CaptureFixture[str]) -> None:
    counts = sorted(Roll.objects.values_list("dim", "val", "res", "bucket", "n"))
    marks = sorted(Mark.objects.values_list("minute", "min_id", "max_id"))
    Roll.objects.filter(dim="all").delete()
    call_command("reindex_log", batch=7)
    assert sorted(Roll.objects.values_list("dim", "val", "res", "bucket", "n")) == counts
    assert sorted(Mark.objects.values_list("minute", "min_id", "max_id")) == marks
    assert "search: 107 entries" in capsys.readouterr().out


def test_roll_ups_are_counted_once_whatever_the_batches(entries: None) -> None:
    total: Any = sum(Roll.objects.filter(dim="all", res=60).values_list("n", flat=True))
    assert total == sum(Roll.objects.filter(dim="all", res=3600).values_list("n", flat=True)) == 107
