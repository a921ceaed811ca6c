"""Tavus's two vocabularies: persona and replica, and since 2026 PAL and Face. Ids are the same in both.

The twin keeps everything in the old words and answers in those of the path (docs.tavus.io, PAL overview and changelog).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OLD_TO_NEW = {
    "persona_id": "pal_id",
    "persona_name": "pal_name",
    "persona_type": "pal_type",
    "persona_description": "pal_description",
    "default_replica_id": "default_face_id",
    "replica_id": "face_id",
    "replica_name": "face_name",
    "replica_type": "face_type",
    "replica_ids": "face_ids",
}
FLOW_OLD_TO_NEW = {"replica_interruptibility": "pal_interruptibility"}
# Tavus's command line has a third name for it.
FLOW_TO_OLD = {"pal_interruptibility": "replica_interruptibility", "face_interruptibility": "replica_interruptibility"}


@dataclass(frozen=True)
class Vocabulary:
    """One family of names, and the ways in and out of the twin's own (old) one."""

    name: str
    out: Mapping[str, str]
    flow_out: Mapping[str, str]
    persona_word: str

    def say(self, key: str) -> str:
        """Return this family's name of a field."""
        return self.out.get(key, key)

    def write(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row in this family's names, for an answer."""
        return _renamed(row, self.out, self.flow_out)

    def read(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a request's body in the twin's own names. The other family's names mean nothing: they are left out."""
        strangers = set(OLD_TO_NEW) | set(OLD_TO_NEW.values())
        strangers -= {self.say(key) for key in OLD_TO_NEW}
        known = {key: value for key, value in body.items() if key not in strangers}
        back = {new: old for old, new in self.out.items()}
        return _renamed(known, back, FLOW_TO_OLD if self.flow_out else {})


def _renamed(row: dict[str, Any], names: Mapping[str, str], flow_names: Mapping[str, str]) -> dict[str, Any]:
    result = {names.get(key, key): value for key, value in row.items()}
    layers = result.get("layers")
    if flow_names and isinstance(layers, dict) and isinstance(layers.get("conversational_flow"), dict):
        flow = {flow_names.get(key, key): value for key, value in layers["conversational_flow"].items()}
        result["layers"] = {**layers, "conversational_flow": flow}
    return result


OLD = Vocabulary("persona", {}, {}, "persona")
NEW = Vocabulary("pal", OLD_TO_NEW, FLOW_OLD_TO_NEW, "pal")


def of_conversation(body: dict[str, Any]) -> Vocabulary:
    """Return the family that a conversation's body uses; conversations take either."""
    return NEW if "pal_id" in body or "face_id" in body else OLD
