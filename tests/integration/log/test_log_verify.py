"""Whoever changes the log behind its back is found."""

from __future__ import annotations

from base64 import b64encode

import pytest

from echoadmin.log.clips import append_samples, new_clip
from echoadmin.log.verify import verify_stream
from echoadmin.log.writer import append
from tests.integration.log.drafts import draft
from tests.integration.log.tampering import tamper

pytestmark = pytest.mark.django_db
PCM = b"\1\2\3\4" * 600


@pytest.fixture(autouse=True)
def log() -> None:
    """Five entries in cv_1: plain, audio sent, audio received, a body beside, plain; and another stream."""
    clip = new_clip(24000)
    append_samples(clip.pk, PCM)
    audio = {"properties": {"audio": b64encode(PCM).decode()}}
    append(
        [
            draft(said="Hello"),
            draft("cv_2"),
            draft(message=audio, clip=(clip.pk, 0, len(PCM))),
            draft(message=audio, samples=PCM),
            draft(message={"text": "x" * 300_000}),
            draft(seq=4, actor="Ann", is_error=True, echo_id=3),
        ]
    )


def test_an_untouched_log_is_as_it_was_written() -> None:
    assert verify_stream("cv_1") is None
    assert verify_stream("cv_2") is None


STREAM = "\"stream\" = (SELECT id FROM log_stream WHERE public_id = 'cv_1')"


@pytest.mark.parametrize(
    ("sql", "first"),
    [
        (f"UPDATE log_entry SET body = '{{}}' WHERE n = 1 AND {STREAM}", 1),
        (f"UPDATE log_entry SET sender = 'other' WHERE n = 3 AND {STREAM}", 3),
        (f"UPDATE log_entry SET is_error = NOT is_error WHERE n = 5 AND {STREAM}", 5),
        (f"UPDATE log_entry SET late = NOT late WHERE n = 2 AND {STREAM}", 2),
        (f"UPDATE log_entry SET clip_start = 4 WHERE n = 2 AND {STREAM}", 2),
        (f"UPDATE log_entry SET body_sha256 = digest WHERE n = 1 AND {STREAM}", 1),
        (f"UPDATE log_entrybody SET body = '{{}}' WHERE n = 4 AND {STREAM}", 4),
        ("DELETE FROM log_entrybody", 4),
        (f"DELETE FROM log_entry WHERE n = 3 AND {STREAM}", 3),
        (f"DELETE FROM log_entry WHERE n = 1 AND {STREAM}", 1),
        (f"DELETE FROM log_entry WHERE n = 5 AND {STREAM}", 5),
        (f"UPDATE log_entry SET n = n + 10 WHERE n = 4 AND {STREAM}", 4),
        (f"UPDATE log_stream SET last_n = 4 WHERE {STREAM.replace(chr(34) + 'stream' + chr(34), 'id')}", 5),
        ("DELETE FROM log_clippart", 2),
    ],
)
def test_the_first_entry_that_was_touched_is_named(sql: str, first: int) -> None:
    tamper(sql)
    assert verify_stream("cv_1") == first
    assert verify_stream("cv_2") is None


def test_an_entry_moved_to_another_stream_is_missed() -> None:
    tamper(f'UPDATE log_entry SET "stream" = 999 WHERE n = 2 AND {STREAM}')
    assert verify_stream("cv_1") == 2


def test_one_changed_sample_is_found() -> None:
    part = bytes(PCM[:-1] + b"\0")
    tamper("UPDATE log_clippart SET samples = %s WHERE id = (SELECT MAX(id) FROM log_clippart)", part)
    assert verify_stream("cv_1") == 3


def test_a_message_that_is_gone_must_have_been_erased_on_the_record() -> None:
    tamper(f"UPDATE log_entry SET body = NULL, said = NULL, erased_at = at WHERE n IN (1, 3) AND {STREAM}")
    assert verify_stream("cv_1") == 1
    ranges = {"cv_1": "1,3"}
    append([draft("account", kind="operator", event_type="log.erased", direction=None, message={"entries": ranges})])
    assert verify_stream("cv_1") is None


def test_a_long_stream_is_verified_block_by_block(django_assert_max_num_queries: object) -> None:
    append([draft("cv_long") for _ in range(1200)])
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        assert verify_stream("cv_long") is None
