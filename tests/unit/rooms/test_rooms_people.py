"""Who is in a room, and whether the replica is."""

from __future__ import annotations

from typing import Any

from conversations.rooms.people import People


def person(id_: str, name: str = "Ana", *, is_replica: bool = False) -> dict[str, Any]:
    return {"id": id_, "name": name, "joined_at": None, "is_replica": is_replica, "is_us": False}


def test_the_replica_is_known_by_its_participants_record() -> None:
    people = People()
    assert not people.came(person("p1"))
    assert people.replica_id is None
    assert people.came(person("r1", is_replica=True))
    assert people.replica_id == "r1"


def test_the_replica_is_known_by_what_it_sends_whatever_its_record_says() -> None:
    people = People()
    people.came(person("r1"))
    assert people.replica_is("r1")
    assert not people.replica_is("r1"), "the second time is no news"
    assert people.listed()[0]["is_replica"]


def test_a_later_record_does_not_take_back_that_it_is_the_replica() -> None:
    people = People()
    people.came(person("r1"))
    people.replica_is("r1")
    people.came(person("r1", name="Renamed"))
    assert people.listed() == [person("r1", name="Renamed", is_replica=True)]


def test_a_replica_that_sends_before_it_is_listed_is_marked_when_it_is() -> None:
    people = People()
    people.replica_is("r1")
    people.came(person("r1"))
    assert people.replica_id == "r1"
    assert people.listed()[0]["is_replica"]


def test_only_what_is_new_is_a_change() -> None:
    people = People()
    people.came(person("p1"))
    people.changed = False
    people.came(person("p1"))
    assert not people.changed
    people.came(person("p1", name="Bea"))
    assert people.changed


def test_a_replica_that_leaves_is_not_there_and_one_that_comes_back_is_news() -> None:
    people = People()
    people.came(person("r1", is_replica=True))
    assert people.went("r1")
    assert people.replica_id is None
    assert people.listed() == []
    assert people.came(person("r2", is_replica=True))


def test_another_who_leaves_is_not_the_replica() -> None:
    people = People()
    people.came(person("r1", is_replica=True))
    people.came(person("p1"))
    assert not people.went("p1")
    assert people.replica_id == "r1"


def test_a_replica_is_silent_only_when_it_used_to_send_heartbeats() -> None:
    people = People()
    assert people.silent_for(50.0) == 0
    people.came(person("r1", is_replica=True))
    people.heard("r1", 10.0, heartbeat=True)
    assert people.silent_for(50.0) == 0
    people.heard("r1", 15.0, heartbeat=True)
    people.heard("p1", 40.0, heartbeat=False)
    assert people.silent_for(50.0) == 35.0


def test_a_participant_is_called_what_it_calls_itself() -> None:
    people = People()
    people.came(person("p1"))
    people.came(person("p2", name=""))
    assert [people.name(id_) for id_ in ("p1", "p2", "p3")] == ["Ana", None, None]


def test_what_comes_after_its_sender_left_still_has_the_name() -> None:
    people = People()
    people.came(person("p1", name="echoadmin/worker-2"))
    people.went("p1")
    assert people.name("p1") == "echoadmin/worker-2"
    assert not people.knows("p1")
    assert people.listed() == []
