"""One method for each endpoint of the Tavus API that this console uses.

Every method returns plain dicts in the old vocabulary (persona, replica) with upstream's own values, unredacted:
whoever stores them redacts them first. Every method raises a TavusError and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from echoadmin.tavus.errors import AnswerLost, BadReply, NotFound
from echoadmin.tavus.wire import Vocabulary, to_old, to_wire, to_wire_patch

PAGE_SIZE = 100
PAGE_CAP = 100


class Endpoints:
    """The endpoints; what sends a call is added by the client."""

    vocabulary: Vocabulary

    def call(
        self,
        method: str,
        kind: str,
        object_id: str | None = None,
        suffix: str = "",
        *,
        query: dict[str, str | None] | None = None,
        body: Any = None,
    ) -> Any:
        """The parsed answer of one call; None when it is empty, or says that there was nothing to change."""
        raise NotImplementedError

    def _told(self, answer: Any) -> str:
        """An answer as text, redacted."""
        raise NotImplementedError

    # Personas

    def list_personas(
        self, *, page: int = 1, limit: int = PAGE_SIZE, persona_type: str | None = None
    ) -> dict[str, Any]:
        """One page: `{"data": [rows], "total_count": number or None}`. persona_type: `user` (own) or `system`
        (stock); None for both.
        """
        return self._list("persona", page, limit, {self._word("persona_type"): persona_type})

    def iter_personas(self, *, persona_type: str | None = None) -> Iterator[dict[str, Any]]:
        """All personas, each once. Raises BadReply after the last row when the list did not end within 100 pages."""
        return self._iterate("persona", {self._word("persona_type"): persona_type})

    def get_persona(self, persona_id: str) -> dict[str, Any]:
        return self._get("persona", persona_id)

    def create_persona(self, body: dict[str, Any]) -> dict[str, Any]:
        """The reply holds `persona_id`, name and time; not the pipeline mode: keep what was sent, or get it."""
        return self._create("persona", body)

    def patch_persona(
        self, persona_id: str, operations: list[dict[str, Any]], *, force: bool = False
    ) -> dict[str, Any] | None:
        """Sends a JSON Patch (RFC 6902). None means: upstream found nothing to change (304). force: discard unsaved
        edits of Tavus's editor.
        """
        body = to_wire_patch(operations, self.vocabulary)
        answer = self.call("PATCH", "persona", persona_id, body=body, query={"force": "true" if force else None})
        return to_old(answer) if isinstance(answer, dict) else answer

    def delete_persona(self, persona_id: str) -> None:
        self.call("DELETE", "persona", persona_id)

    # Replicas

    def list_replicas(
        self, *, page: int = 1, limit: int = PAGE_SIZE, replica_type: str | None = None, verbose: bool = True
    ) -> dict[str, Any]:
        return self._list("replica", page, limit, {self._word("replica_type"): replica_type, "verbose": _flag(verbose)})

    def iter_replicas(self, *, replica_type: str | None = None, verbose: bool = True) -> Iterator[dict[str, Any]]:
        """All replicas, each once; as `iter_personas`. `verbose` rows say whether they are stock (`replica_type`)."""
        return self._iterate("replica", {self._word("replica_type"): replica_type, "verbose": _flag(verbose)})

    def get_replica(self, replica_id: str, *, verbose: bool = True) -> dict[str, Any]:
        return self._get("replica", replica_id, {"verbose": _flag(verbose)})

    def create_replica(self, body: dict[str, Any]) -> dict[str, Any]:
        """Starts a training (3 to 4 hours; costs a replica slot). The reply holds `replica_id` and `status`."""
        return self._create("replica", body)

    def rename_replica(self, replica_id: str, name: str) -> None:
        self.call("PATCH", "replica", replica_id, "/name", body=to_wire({"replica_name": name}, self.vocabulary))

    def delete_replica(self, replica_id: str, *, hard: bool = False) -> None:
        """hard: also erases the training material, for good."""
        self.call("DELETE", "replica", replica_id, query={"hard": _flag(hard)})

    # Conversations

    def create_conversation(self, body: dict[str, Any]) -> dict[str, Any]:
        """Starts the vendor's clock at once. The reply may hold a `meeting_token`, which can't be fetched again."""
        return self._create("conversation", body)

    def list_conversations(self, *, page: int = 1, limit: int = PAGE_SIZE, status: str | None = None) -> dict[str, Any]:
        """status: `active` or `ended`; None for both."""
        return self._list("conversation", page, limit, {"status": status})

    def iter_conversations(self, *, status: str | None = None) -> Iterator[dict[str, Any]]:
        return self._iterate("conversation", {"status": status})

    def get_conversation(self, conversation_id: str, *, verbose: bool = True) -> dict[str, Any]:
        """verbose: with `events` (the stored webhooks) and `shutdown_reason`."""
        return self._get("conversation", conversation_id, {"verbose": _flag(verbose)})

    def end_conversation(self, conversation_id: str) -> None:
        """Stops the vendor's clock. Upstream refuses to end one twice: the caller looks at its status then."""
        self.call("POST", "conversation", conversation_id, "/end")

    def delete_conversation(self, conversation_id: str, *, hard: bool = False) -> None:
        """Removes the record; it does not end a running conversation. hard: also erases recordings and
        transcripts.
        """
        self.call("DELETE", "conversation", conversation_id, query={"hard": _flag(hard)})

    # What the methods above are made of

    def _word(self, name: str) -> str:
        return next(iter(to_wire({name: 1}, self.vocabulary)))

    def _get(self, kind: str, object_id: str, query: dict[str, str | None] | None = None) -> dict[str, Any]:
        answer = self.call("GET", kind, object_id, query=query)
        row = answer.get("data", answer) if isinstance(answer, dict) else answer
        if isinstance(row, list) and len(row) == 1:
            row = row[0]
        if row == []:
            raise NotFound(f"Tavus has no such {kind}: it answered with an empty list.", status=200)
        if not isinstance(row, dict) or not row:
            raise BadReply(
                f"The answer to GET {kind} {object_id} holds no {kind}.", status=200, upstream=self._told(answer)
            )
        return to_old(row)

    def _create(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.call("POST", kind, body=to_wire(body, self.vocabulary))
        row = to_old(answer) if isinstance(answer, dict) else {}
        if not isinstance(row.get(f"{kind}_id"), str) or not row[f"{kind}_id"]:
            raise AnswerLost(
                f"Tavus took the new {kind}, but its answer holds no {kind}_id.",
                status=200,
                upstream=self._told(answer),
            )
        return row

    def _list(self, kind: str, page: int, limit: int, query: dict[str, str | None]) -> dict[str, Any]:
        answer = self.call("GET", kind, query={**query, "limit": str(limit), "page": str(page)})
        rows = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BadReply(f"The list of {kind}s has no rows under data.", status=200, upstream=self._told(answer))
        total = answer.get("total_count")
        known = isinstance(total, int) and not isinstance(total, bool)
        return {"data": [to_old(row) for row in rows], "total_count": total if known else None}

    def _iterate(self, kind: str, query: dict[str, str | None]) -> Iterator[dict[str, Any]]:
        """Pages may be shorter than asked for, overlap when rows come or go meanwhile, and lie about their total: the
        list ends with an empty page, with one that brings nothing new, or with a short one once the promised total
        was seen.
        """
        seen: set[str] = set()
        for page in range(1, PAGE_CAP + 1):
            answer = self._list(kind, page, PAGE_SIZE, query)
            rows, total = answer["data"], answer["total_count"]
            fresh = [row for row in rows if str(row.get(f"{kind}_id")) not in seen]
            for row in fresh:
                key = str(row.get(f"{kind}_id"))
                if key not in seen:
                    seen.add(key)
                    yield row
            if not fresh or (len(rows) < PAGE_SIZE and total is not None and len(seen) >= total):
                return
        raise BadReply(
            f"The list of {kind}s did not end after {PAGE_CAP} pages; what was read so far is good, but not all of it.",
            status=200,
        )


def _flag(value: bool) -> str | None:
    return "true" if value else None
