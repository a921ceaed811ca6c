"""Small things of the rooms: runs of numbers, a worker's name, which addresses may be joined."""

from __future__ import annotations

from typing import Any

import pytest

from conversations.refusals import Refusal
from conversations.rooms.urls import check_room_url
from conversations.rooms.worker import worker_name
from echoadmin.log.ranges import ranges


@pytest.mark.parametrize(
    ("numbers", "runs"),
    [
        ([], []),
        ([4], [[4, 4]]),
        ([3, 4, 5, 9], [[3, 5], [9, 9]]),
        ([9, 3, 5, 4], [[3, 5], [9, 9]]),
        ([1, 3, 5], [[1, 1], [3, 3], [5, 5]]),
    ],
)
def test_numbers_are_named_as_runs_with_both_ends(numbers: list[int], runs: list[list[int]]) -> None:
    assert ranges(numbers) == runs


def test_a_workers_name_is_the_given_one_then_the_setting_then_the_hosts(settings: Any) -> None:
    settings.WORKER = "from-settings"
    assert worker_name("given") == "given"
    assert worker_name() == "from-settings"
    settings.WORKER = ""
    assert worker_name().endswith("-console")


def test_a_workers_name_has_only_the_characters_of_a_channel(settings: Any) -> None:
    settings.WORKER = ""
    assert worker_name("büro/2 rechts") == "b-ro-2-rechts"
    assert len(worker_name("w" * 200)) == 80


@pytest.mark.parametrize("url", ["https://tavus.daily.co/c1", "https://daily.co/c1", "https://TAVUS.Daily.CO/c1?t=x"])
def test_a_room_on_dailys_domain_may_be_joined(url: str) -> None:
    check_room_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://tavus.daily.co/c1",
        "https://tavus.daily.co.example.org/c1",
        "https://evildaily.co/c1",
        "https://daily.co@example.org/c1",
        "ftp://tavus.daily.co/c1",
        "c1",
        "",
    ],
)
def test_a_room_elsewhere_is_refused_with_the_way_out(url: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_room_url(url)
    assert refused.value.field == "conversation_url"
    assert "DAILY_DOMAINS" in refused.value.message


def test_a_domain_of_ones_own_is_joined_once_it_is_named(settings: Any) -> None:
    settings.DAILY_DOMAINS = ["rooms.example.org"]
    check_room_url("https://a.rooms.example.org/c1")
    with pytest.raises(Refusal):
        check_room_url("https://tavus.daily.co/c1")


def test_an_address_that_is_none_at_all_is_refused_too() -> None:
    with pytest.raises(Refusal):
        check_room_url("https://[::1/c1")
