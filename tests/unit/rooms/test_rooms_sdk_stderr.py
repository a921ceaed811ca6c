"""What daily-python writes to stderr, cut into lines; the lines are the SDK's own (0.36.0), shortened."""

from __future__ import annotations

import pytest

from conversations.rooms.sdk_stderr import KEPT, Lines

SENDER = "732e8db7-f8b3-4daa-b8c4-aacc68d9c19d"
UNREADABLE = (
    rb'{"level":"ERROR","fields":{"message":"Invalid message contents: \"{\\\"msgStr\\\":\\\"sig-msg\\\",'
    rb"\\\"tag\\\":\\\"x-egassem\\\",\\\"from\\\":\\\"%s\\\",\\\"msgData\\\":{\\\"deep\\\":[[[" % SENDER.encode()
)
WHY = b'{"level":"ERROR","fields":{"message":"Incoming message is not valid JSON: recursion limit exceeded"}}'


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_lost_message_is_told_once_with_its_sender_and_without_its_words(size: int) -> None:
    said = b"before\n" + UNREADABLE + b"secret" * 20_000 + b"\n" + WHY + b"\nafter\n"
    lines = Lines()
    found = [one for at in range(0, len(said), size) for one in lines.feed(said[at : at + size])]
    assert [sender for _, sender in found] == [None, SENDER, None, None]
    told = b"".join(told for told, _ in found)
    assert b"secret" not in told
    assert told.startswith(b"before\n") and told.endswith(WHY + b"\nafter\n")


def test_a_line_without_an_end_takes_no_memory() -> None:
    lines = Lines()
    for _ in range(100):
        assert lines.feed(b"x" * 100_000) == []
    assert len(lines._line) == KEPT
    assert lines.feed(b"\n") == [(b"x" * KEPT + b"...\n", None)]


def test_a_line_that_names_nobody_counts_too() -> None:
    assert Lines().feed(b'"Invalid message contents: x-egassem"\n')[0][1] == ""
