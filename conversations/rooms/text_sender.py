"""Says a text: its parts one after another, each claimed and logged in one transaction, sent, and followed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from conversations import interactions, outbox
from conversations.models import Echo
from echoadmin.log.writer import Draft, Number

if TYPE_CHECKING:
    from conversations.rooms.echo_sender import EchoSender


@dataclass(frozen=True, slots=True)
class ClaimedText:
    """A text that was claimed as it was found: its first message, and that one's numbers in the log."""

    echo: Echo
    message: dict[str, Any]
    ns: list[Number]


async def claim_next_text(sender: EchoSender) -> ClaimedText | None:
    """The first of the queue with its first message in the log; None where it is no text, or there is none."""
    tenure = sender.room.tenure
    found: list[tuple[Echo, dict[str, Any]]] = []

    def claim() -> bool | list[Draft]:
        echo = outbox.claim_next_text(tenure)
        if echo is None:
            return False
        parts = interactions.split_text(echo.text, sender.room.upstream_id, echo.wire_id)
        wire_id = interactions.part_id(echo.wire_id, 1, len(parts))
        message = interactions.text_echo(sender.room.upstream_id, parts[0], wire_id)
        found[:] = [(echo, message)]
        return [sender.draft(echo, message, at=datetime.now(UTC), said=parts[0])]

    written = await sender.room.log.claim([], claim)
    if not written:
        return None
    echo, message = found[0]
    return ClaimedText(echo, message, [entry.n for entry in written])


async def say_text(sender: EchoSender, echo: Echo, claimed: ClaimedText | None = None) -> None:
    """To its end, whichever that is; `claimed` is the first part where that was claimed as it was found."""
    parts = interactions.split_text(echo.text, sender.room.upstream_id, echo.wire_id)
    wire_ids = interactions.part_ids(echo.wire_id, len(parts))
    for number, (part, wire_id) in enumerate(zip(parts, wire_ids, strict=True)):
        last = number == len(parts) - 1
        out = sender.room.matcher.expect(echo.pk, wire_id, words=part, last=last)
        message = interactions.text_echo(sender.room.upstream_id, part, wire_id)
        if number or claimed is None:
            ns = await _claim_part(sender, echo, number, message, part)
        else:
            ns = claimed.ns
        if ns is None or not await _send_part(sender, echo, number, message, ns, last=last):
            return
        if not await sender.follow(echo, out, interactions.estimated_seconds(part)):
            return


async def _claim_part(
    sender: EchoSender, echo: Echo, number: int, message: dict[str, Any], part: str
) -> list[Number] | None:
    """The number in the log of this part; None where the echo was cancelled, or edited, a moment ago."""
    tenure = sender.room.tenure
    if number == 0:
        claim = partial(outbox.claim_echo, tenure, echo.pk, revision=echo.revision, chunks=1)
    else:
        claim = partial(outbox.claim_more, tenure, echo.pk, chunks=1, sent=number)
    draft = sender.draft(echo, message, at=datetime.now(UTC), said=part)
    written = await sender.room.log.claim([draft], claim, goes_on=number > 0)
    if written is None:
        return None
    sender.reach("sending")
    return [entry.n for entry in written]


async def _send_part(
    sender: EchoSender, echo: Echo, number: int, message: dict[str, Any], ns: list[Number], *, last: bool
) -> bool:
    tenure = sender.room.tenure
    if sender.stop is not None:
        await sender.room.log.not_sent(echo, ns, sender.stop.reason)
        await sender.end(echo, sender.stop)
        return False
    if not await sender.transmit(echo, message, ns):
        return False
    if last:
        at = datetime.now(UTC)
        if number == 0 and sender.steps is not None:
            at = min(at, sender.steps.at.get("speaking", at))  # heard before the SDK said that it was sent
        sender.reach("sent", at)
        sender.room.log.later(
            [], lambda: outbox.mark_sent(tenure, echo.pk, at=at, sent=number + 1, seconds=echo.seconds)
        )
    return True
