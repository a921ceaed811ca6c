"""Pages, tails, filters, and entries as the API shows them."""

from __future__ import annotations

from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from echoadmin.installation import Installation
from echoadmin.log import cursors, reader
from echoadmin.log.chain import instant
from echoadmin.log.clips import append_samples, new_clip
from echoadmin.log.models import Clip, Entry
from echoadmin.log.reader import CursorError, FilterError, Page, SafeHead, filtered, page, tail, tail_all
from echoadmin.log.writer import append
from tests.integration.log.drafts import draft
from tests.integration.log.tampering import tamper

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)


def walk(first: Page, params: dict[str, Any], way: str, **options: Any) -> list[Page]:
    """All pages from `first` on, by their `next` or `previous`."""
    pages = [first]
    while cursor := getattr(pages[-1], way):
        pages.append(page(filtered(params), cursor, **options))
    return pages


@pytest.mark.parametrize(
    "params", [{}, {"conversation": "cv_1"}, {"sender": "a"}, {"conversation": "cv_1", "sender": "a"}]
)
@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_hold_every_entry_once_in_order_and_lead_back_again(params: dict[str, str], newest_first: bool) -> None:
    append([draft(f"cv_{i % 2}", sender="ab"[i % 3 == 0]) for i in range(41)])
    wanted = list(filtered(params).order_by("id").values_list("id", flat=True))
    assert len(wanted) > 8
    if newest_first:
        wanted.reverse()
    options: dict[str, Any] = {"limit": 4, "newest_first": newest_first}
    onwards = walk(page(filtered(params), **options), params, "next", **options)
    assert [row.pk for each in onwards for row in each.rows] == wanted
    assert all(len(each.rows) == 4 for each in onwards[:-1])
    backwards = walk(onwards[-1], params, "previous", **options)
    assert [row.pk for each in reversed(backwards) for row in each.rows] == wanted
    assert onwards[0].previous is None
    assert onwards[-1].next is None


def test_entries_that_come_while_one_reads_move_no_page() -> None:
    append([draft() for _ in range(6)])
    first = page(filtered({}), limit=3)
    append([draft() for _ in range(2)])
    second = page(filtered({}), first.next, limit=3)
    assert [row.n for row in first.rows + second.rows] == [6, 5, 4, 3, 2, 1]
    assert second.previous is not None
    newer = page(filtered({}), second.previous, limit=10)
    assert [row.n for row in newer.rows] == [8, 7, 6, 5, 4]


def test_an_empty_log_has_one_empty_page() -> None:
    assert page(filtered({})) == Page([], None, None)
    assert page(filtered({"conversation": "cv_none"})) == Page([], None, None)


def test_a_cursor_of_another_filter_or_order_or_of_no_kind_is_refused() -> None:
    append([draft() for _ in range(3)])
    cursor = page(filtered({"sender": "replica-1"}), limit=1).next
    assert cursor is not None
    page(filtered({"sender": "replica-1", "kind": ""}), cursor, limit=1)
    for entries, newest_first in ((filtered({}), True), (filtered({"sender": "replica-1"}), False)):
        with pytest.raises(CursorError, match="another filter, order or database"):
            page(entries, cursor, newest_first=newest_first)
    for nonsense in ("x", "é", "AAAA", "W10", "bnVsbA", "W1sxXSwyLDMsNCw1XQ", cursor[:-3], "5", " "):
        with pytest.raises(CursorError):
            page(filtered({"sender": "replica-1"}), nonsense)


def test_a_cursor_of_another_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursors, "_keys", [])
    append([draft() for _ in range(3)])
    Installation.objects.create(id=1, mode="sandbox", webhook_secret="s", database_key="this database's")
    cursor = page(filtered({}), limit=1).next
    assert page(filtered({}), cursor, limit=1).rows
    monkeypatch.setattr(cursors, "_keys", [])
    Installation.objects.update(database_key="another's")
    with pytest.raises(CursorError, match="database"):
        page(filtered({}), cursor, limit=1)


FILTERED: dict[str, tuple[dict[str, Any], Any]] = {
    "conversation": ({"stream": "cv_x"}, "cv_x"),
    "persona": ({"persona_ref": "pe_x"}, "pe_x"),
    "kind": ({"kind": "upstream"}, "upstream"),
    "family": ({"family": "presence"}, "presence"),
    "event_type": ({"event_type": "system.replica_present"}, "system.replica_present"),
    "direction": ({"direction": "out"}, "out"),
    "sender": ({"sender": "s-x"}, "s-x"),
    "actor": ({"actor": "Ann"}, "Ann"),
    "api_key": ({"api_key_ref": "key_x"}, "key_x"),
    "inference_id": ({"inference_id": "inf-x"}, "inf-x"),
    "echo": ({"echo_id": 77}, "77"),
    "is_error": ({"is_error": True}, "true"),
}
INDEXES = {
    "conversation": "entry_stream_n",
    "persona": "entry_persona",
    "api_key": "entry_api_key",
    "inference_id": "entry_inference",
    "is_error": "entry_error",
}


@pytest.mark.parametrize("name", FILTERED)
def test_each_filter_finds_its_entries_and_no_other(name: str) -> None:
    columns, value = FILTERED[name]
    append([draft(), draft(**columns), draft()])
    assert [row.pk for row in filtered({name: value})] == [Entry.objects.order_by("id")[1].pk]
    assert set(FILTERED) | {"at_after", "at_before", "text"} == set(reader.FILTERS)


@pytest.mark.parametrize("name", FILTERED)
def test_each_filters_page_is_read_from_an_index_in_order(name: str) -> None:
    append([draft(), draft(**FILTERED[name][0])])
    entries = filtered({name: FILTERED[name][1]})
    ordered = entries.filter(**{f"{entries.key}__lt": 10**6}).order_by(f"-{entries.key}")[:51]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # so few rows are quicker scanned: ask what it could do
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
    plan = ordered.explain()
    index = INDEXES.get(name, f"entry_{name}")
    assert index in plan or (index == "entry_stream_n" and "(stream=? AND n<?)" in plan), plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "sound"),
        ("direction", "sideways"),
        ("echo", "seven"),
        ("echo", str(2**63)),
        ("at_after", "yesterday"),
        ("sender", "x" * 201),
        ("sender", "a\0b"),
    ],
)
def test_a_value_that_can_not_be_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(FilterError) as refusal:
        filtered({name: value})
    assert list(refusal.value.fields) == [name]
    assert refusal.value.fields[name][0]


def test_a_time_range_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(FilterError, match="later than at_after"):
        filtered({"at_after": "2024-01-02T00:00:00Z", "at_before": "2024-01-01T00:00:00Z"})


@pytest.mark.parametrize("conversation", [None, "cv_0"])
def test_a_time_range_finds_what_happened_in_it_late_entries_too(conversation: str | None) -> None:
    """One entry a minute for ten hours, as they would have been stored; and one stored hours after it happened."""
    start = NOW - timedelta(hours=20)
    append([draft(f"cv_{i % 2}", at=start + timedelta(minutes=i)) for i in range(600)])
    unlate()
    append([draft("cv_0", at=start + timedelta(minutes=90, seconds=30)), draft("cv_1", at=NOW)])
    params = {"conversation": conversation} if conversation else {}
    for low, high in ((60, 120), (0, 600), (599, 700), (-50, 0), (90, 91), (None, 100), (500, None)):
        given = dict(params)
        if low is not None:
            given["at_after"] = instant(start + timedelta(minutes=low))
        if high is not None:
            given["at_before"] = instant(start + timedelta(minutes=high))
        expected = [
            row.pk
            for row in Entry.objects.order_by("id")
            if (conversation is None or row.conversation_ref == conversation)
            and (low is None or row.at >= start + timedelta(minutes=low))
            and (high is None or row.at < start + timedelta(minutes=high))
        ]
        assert [row.pk for row in filtered(given).order_by("id")] == expected, (low, high)


def unlate() -> None:
    """As if they had been stored when they happened."""
    tamper("UPDATE log_entry SET late = %s", False)


def test_a_time_range_is_read_as_a_range_of_ids() -> None:
    start = NOW - timedelta(days=2)
    append([draft(at=start + timedelta(minutes=i)) for i in range(1000)])
    unlate()
    moment = instant(start + timedelta(minutes=500))
    sql = str(filtered({"at_after": moment, "at_before": instant(start + timedelta(minutes=510))}).query)
    ids = list(Entry.objects.order_by("id").values_list("id", flat=True))
    assert f'"id" >= {ids[495]}' in sql
    assert f'"id" < {ids[515]}' in sql


def test_a_streams_tail_goes_on_after_a_number() -> None:
    append([draft("cv_1"), draft("cv_2"), draft("cv_1", kind="room"), draft("cv_1")])
    assert [row.n for row in tail("cv_1", 0)] == [1, 2, 3]
    assert [row.n for row in tail("cv_1", 1, limit=1)] == [2]
    assert [row.n for row in tail("cv_1", 0, kind="app_message")] == [1, 3]
    assert tail("cv_1", 3) == tail("cv_none", 0) == []
    assert (reader.last_n("cv_1"), reader.last_n("cv_none")) == (3, 0)


def newest() -> int:
    return Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0


def test_the_tail_across_streams_gives_each_entry_once_and_says_when_it_caught_up() -> None:
    append([draft("cv_0")])
    place = tail_all(None, {"sender": "a"}, head=newest)
    assert (place.rows, place.caught_up) == ([], True)
    append([draft(f"cv_{i % 3}", sender="ab"[i % 2]) for i in range(20)])
    seen: list[Entry] = []
    looks = 0
    while looks == 0 or not place.caught_up:
        place = tail_all(place.cursor, {"sender": "a"}, limit=4, head=newest)
        seen += place.rows
        looks += 1
    assert len(seen) == 10
    assert all(one.pk < two.pk for one, two in pairwise(seen))
    assert tail_all(place.cursor, {"sender": "a"}, head=newest).rows == []
    with pytest.raises(CursorError, match="another filter"):
        tail_all(place.cursor, {"sender": "b"}, head=newest)


def test_the_tail_passes_no_id_that_another_transaction_may_still_undercut() -> None:
    append([draft(), draft(), draft()])
    start = tail_all(None, {}, head=lambda: 0)
    ids = list(Entry.objects.order_by("id").values_list("id", flat=True))
    cut = tail_all(start.cursor, {}, head=lambda: ids[1])
    assert [row.pk for row in cut.rows] == ids[:2]
    assert [row.pk for row in tail_all(cut.cursor, {}, head=newest).rows] == ids[2:]


def test_the_safe_head_is_the_highest_id_seen_five_seconds_ago_while_somebody_writes_all_the_time() -> None:
    now = [100.0]
    head = SafeHead(clock=lambda: now[0])
    writer = frozenset(["3/1"])
    looks = [
        (0, 10, 0),
        (1, 20, 0),
        (3.9, 30, 0),
        (0.1, 31, 10),
        (0.9, 32, 10),
        (0.2, 40, 20),
        (60, 50, 40),
        (5, 50, 50),
    ]
    for passed, seen, safe in looks:
        now[0] += passed
        assert head.saw(seen, writer) == safe, (now, seen)


def test_the_safe_head_needs_no_wait_once_those_who_wrote_have_ended() -> None:
    head = SafeHead(clock=lambda: 100.0)
    assert head.saw(10, frozenset()) == 10
    assert head.saw(20, frozenset("ab")) == 10
    assert head.saw(30, frozenset("bc")) == 10, "b may still fill a gap below 20"
    assert head.saw(40, frozenset("cd")) == 20, "and c one below 30, or 40"
    assert head.saw(50, frozenset("de")) == 20
    assert head.saw(60, frozenset("e")) == 40
    assert head.saw(70, frozenset()) == 70


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writing transaction at a time")
def test_the_safe_head_stays_below_an_entry_that_is_written_and_not_committed() -> None:
    head, written, leave = SafeHead(clock=lambda: 100.0), Event(), Event()

    def write_slowly() -> int:
        try:
            with transaction.atomic():
                append([draft("cv_slow")])
                written.set()
                leave.wait(30)
                return newest()
        finally:
            connection.close()

    append([draft("cv_quick")])
    first = newest()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(write_slowly)
        assert written.wait(30)
        append([draft("cv_quick")])
        assert newest() == first + 2
        assert head() < first + 1
        leave.set()
        slow.result()
    assert head() == newest() == first + 2


def test_the_safe_head_counts_what_its_own_transaction_wrote() -> None:
    append([draft()])
    assert SafeHead()() == newest()


def test_entries_are_shown_in_the_apis_shape() -> None:
    at = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    append(
        [
            draft(
                "cv_1",
                at=at,
                sender_name="Replica",
                inference_id="i",
                echo_id=5,
                actor="Ann",
                seq=9,
                message={"a": "é"},
            ),
            draft("account", kind="operator", event_type="signed_in", direction=None, sender=None, message=None),
        ]
    )
    entries = list(Entry.objects.order_by("id"))
    asked: list[set[str]] = []

    def upstream_ids(refs: set[str]) -> dict[str, str | None]:
        asked.append(refs)
        return {"cv_1": "c123"}

    first, second = reader.as_dicts(entries, upstream_ids)
    assert first == {
        "id": entries[0].pk,
        "n": 1,
        "at": "2024-05-06T07:08:09.000000Z",
        "kind": "app_message",
        "direction": "in",
        "event_type": "conversation.utterance",
        "sender": "replica-1",
        "sender_name": "Replica",
        "inference_id": "i",
        "echo": 5,
        "conversation": "cv_1",
        "conversation_id": "c123",
        "actor": "Ann",
        "seq": 9,
        "is_error": False,
        "message": {"a": "é"},
    }
    assert (second["conversation"], second["conversation_id"], second["message"]) == (None, None, None)
    assert asked == [{"cv_1"}]


def chunks(pcm: bytes, size: int) -> list[dict[str, Any]]:
    return [
        {"properties": {"audio": b64encode(pcm[at : at + size]).decode(), "done": False, "sample_rate": 24000}}
        for at in range(0, len(pcm), size)
    ]


def test_audio_messages_read_back_as_they_went_in_with_three_queries_for_a_whole_page() -> None:
    pcm = bytes(i * 7 % 256 for i in range(700_000))
    clip = new_clip(24000)
    append_samples(clip.pk, pcm)
    sent = chunks(pcm, 2400)
    inbound = [{"properties": {"audio": b64encode(bytes([i]) * 300_001).decode(), "sample_rate": 8000}} for i in (1, 2)]
    odd = {"properties": {"audio": "AB=="}}
    large = {"text": "x" * 300_000}
    append(
        [
            *[
                draft(direction="out", message=m, clip=(clip.pk, i * 2400, len(pcm[i * 2400 :][:2400])))
                for i, m in enumerate(sent)
            ],
            *[draft(message=message, samples=bytes([i + 1]) * 300_001) for i, message in enumerate(inbound)],
            draft(message=odd, samples=b"\0"),
            draft(message=large),
        ]
    )
    entries = list(Entry.objects.order_by("n"))
    with CaptureQueriesContext(connection) as queries:
        assert reader.messages(entries, audio=True) == [*sent, *inbound, odd, large]
    assert len(queries) == 2
    left_out = reader.messages(entries, audio=False)
    assert left_out[0] == {"properties": {"audio": None, "done": False, "sample_rate": 24000}}
    assert left_out[-2] == {"properties": {"audio": None}}
    assert sorted(Clip.objects.values_list("sample_rate", "size")) == [
        (8000, 300_001),
        (8000, 300_001),
        (24000, 700_000),
    ]
    assert max(len(entry.body or "") for entry in entries) < 100
    assert reader.message(entries[3]) == sent[3]


def test_an_erased_entry_has_no_message_and_lost_samples_are_null() -> None:
    pcm = b"\1\2" * 50
    clip = new_clip(16000)
    append([draft(), draft(message=chunks(pcm, 100)[0], clip=(clip.pk, 0, 100))])
    tamper("UPDATE log_entry SET body = NULL, erased_at = %s WHERE n = 1", "2024-01-01 00:00:00+00:00")
    first, second = reader.messages(list(Entry.objects.defer("erased_at").order_by("n")[1:]) * 2)
    assert first == second == {"properties": {"audio": None, "done": False, "sample_rate": 24000}}
    tamper("UPDATE log_entry SET erased_at = %s WHERE n = 1", "2024-01-01 00:00:00")
    assert reader.message(Entry.objects.get(n=1)) is None
