"""What can go wrong between this console and the Tavus HTTP API, as one tree.

    TavusError
    ├── InvalidRequest      400, 405, 413, 415, 422: the request is at fault; `fields` says where
    ├── Unauthorised        401, 403: wrong or missing key, or an address outside the key's allow-list
    ├── OutOfCredits        402: the account has no conversational credits left
    ├── ConcurrencyReached  400 or 429: all slots for running conversations are taken
    ├── NotFound            404, or the 400 "Invalid …_id" about the very object that the call addressed
    ├── Conflict            409: `maker_changes` when somebody's unsaved edits in Tavus's own editor stand in the way
    ├── RateLimited         429: `retry_after` seconds, if upstream said so
    ├── Unavailable         no connection; or, for a read, no answer or a 5xx after all attempts
    ├── BadReply            an answer that can't be used: HTML, a redirect, half a body, another shape
    └── AnswerLost          a write whose answer never came, or can't be read: it may have happened

Who handles a failed write asks one thing: `error.may_have_happened`. False means upstream certainly did nothing. True
means nobody knows yet, and the write must not be repeated before somebody has looked.
"""

from __future__ import annotations

UPSTREAM_WORDS_LIMIT = 2048  # bytes


class TavusError(Exception):
    """Root of the tree.

    message: one plain sentence. status: the HTTP status, None when there was no answer. upstream: upstream's raw
    words, redacted, at most 2 KB. code: the slug that our own API answers with. way_out: what a person can do now.
    """

    code: str
    way_out = "Look at the entry of this call in the log for what was sent and what came back."
    happens = False  # the class's default for may_have_happened

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        upstream: str = "",
        way_out: str | None = None,
        may_have_happened: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.upstream = upstream.encode("utf-8", "replace")[:UPSTREAM_WORDS_LIMIT].decode("utf-8", "ignore")
        if way_out is not None:
            self.way_out = way_out
        self.may_have_happened = self.happens if may_have_happened is None else may_have_happened
        self.reference: str | None = None  # the id of the row of ours that tells what became of the write

    def __str__(self) -> str:
        return self.message


class InvalidRequest(TavusError):
    """The request itself is wrong. fields: name → what is wrong with it, in upstream's words; may be empty."""

    code = "upstream_invalid"
    way_out = "Correct the named fields and send it again; nothing was created and nothing was charged."

    def __init__(
        self,
        message: str,
        *,
        fields: dict[str, list[str]] | None = None,
        status: int | None = None,
        upstream: str = "",
        way_out: str | None = None,
    ) -> None:
        super().__init__(message, status=status, upstream=upstream, way_out=way_out)
        self.fields = fields or {}


class Unauthorised(TavusError):
    code = "upstream_unauthorised"
    way_out = (
        "Check TAVUS_API_KEY, and in Tavus's dashboard whether the key is active and allows this server's address."
    )


class OutOfCredits(TavusError):
    code = "upstream_out_of_credits"
    way_out = "Buy credits or raise the plan in the Tavus dashboard, then try again; nothing was created."


class ConcurrencyReached(TavusError):
    code = "upstream_concurrency"
    way_out = "End a conversation that is still active, or wait for one to end, then try again; nothing was created."


class NotFound(TavusError):
    code = "upstream_not_found"
    way_out = "It may have been deleted at Tavus, or belong to another account. Sync to bring this console up to date."


class Conflict(TavusError):
    """maker_changes: True when unsaved edits in Tavus's own editor would be lost; `force=True` discards them."""

    code = "upstream_conflict"
    way_out = "Read the object again, look at what changed, and repeat the change if it is still wanted."

    def __init__(
        self,
        message: str,
        *,
        maker_changes: bool = False,
        status: int | None = None,
        upstream: str = "",
        way_out: str | None = None,
    ) -> None:
        super().__init__(message, status=status, upstream=upstream, way_out=way_out)
        self.maker_changes = maker_changes


class RateLimited(TavusError):
    """retry_after: seconds that upstream asked to wait, None when it didn't say."""

    code = "upstream_rate_limited"
    way_out = "Wait a little, then try again."

    def __init__(
        self, message: str, *, retry_after: float | None = None, status: int | None = None, upstream: str = ""
    ) -> None:
        super().__init__(message, status=status, upstream=upstream)
        self.retry_after = retry_after


class Unavailable(TavusError):
    code = "upstream_unavailable"
    way_out = "Check that TAVUS_API_URL is right and can be reached from here, and Tavus's status page; then try again."


class BadReply(TavusError):
    code = "upstream_bad_reply"
    way_out = "Check that TAVUS_API_URL points at Tavus and that no proxy answers in its place."


class AnswerLost(TavusError):
    code = "upstream_answer_lost"
    way_out = (
        "It may have happened at Tavus, and may cost money. Don't repeat it: this console looks for it at the next "
        "sync and says what it found."
    )
    happens = True
