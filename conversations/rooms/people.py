"""Who is in a room, and whether the replica is: by the list of participants and by what is sent."""

from __future__ import annotations

from typing import Any


class People:
    """The participants of one connection to a room, as the link reports them."""

    def __init__(self) -> None:
        self.changed = False  # since it was last written to the database
        self.replica_id: str | None = None
        self._people: dict[str, dict[str, Any]] = {}
        self._gone: dict[str, str] = {}  # names of those who left: what they sent last may come after that is told
        self._heartbeats = 0
        self._heard_at = 0.0  # of the replica, on the loop's clock

    def came(self, person: dict[str, Any]) -> bool:
        """A participant joined or changed; whether that showed the replica for the first time."""
        known = self._people.get(person["id"])
        if person["id"] == self.replica_id or (known is not None and known["is_replica"]):
            person = {**person, "is_replica": True}
        if known != person:
            self._people[person["id"]] = person
            self.changed = True
        return bool(person["is_replica"]) and self.replica_is(person["id"])

    def went(self, participant_id: str) -> bool:
        """A participant left; whether it was the replica."""
        if (left := self._people.pop(participant_id, None)) is not None:
            self._gone[participant_id] = left["name"]
        self.changed = True
        if participant_id != self.replica_id:
            return False
        self.replica_id, self._heartbeats = None, 0
        return True

    def replica_is(self, participant_id: str) -> bool:
        """This participant is the replica; whether that is news."""
        if self.replica_id == participant_id:
            return False
        self.replica_id = participant_id
        if participant_id in self._people:
            self._people[participant_id]["is_replica"] = True
        self.changed = True
        return True

    def heard(self, sender: str, now: float, *, heartbeat: bool) -> None:
        """An app message came from `sender`."""
        self._heartbeats += heartbeat
        if sender == self.replica_id:
            self._heard_at = now

    def silent_for(self, now: float) -> float:
        """Seconds since a replica that is there, and sends heartbeats, was heard; 0 for any other."""
        return now - self._heard_at if self.replica_id is not None and self._heartbeats > 1 else 0.0

    def knows(self, participant_id: str) -> bool:
        """Whether it is one of those here."""
        return participant_id in self._people

    def name(self, participant_id: str) -> str | None:
        """What a participant calls itself, or called itself before it left."""
        here = self._people.get(participant_id)
        return (here["name"] if here else self._gone.get(participant_id)) or None

    def listed(self) -> list[dict[str, Any]]:
        """Everybody, for the room's row."""
        return list(self._people.values())
