"""Every check, in the order in which it is told."""

from __future__ import annotations

from tests.acceptance.chaos.checks import kept, paid, promised, recorded
from tests.acceptance.chaos.checks.finding import Look

ALL: tuple[Look, ...] = (
    promised.every_promise_ends,
    promised.nothing_is_refused,
    promised.nothing_is_said_twice,
    promised.order_is_kept,
    promised.states_are_true,
    recorded.outbound_agrees,
    recorded.inbound_agrees,
    recorded.heard_is_durable,
    recorded.streams_are_gapless,
    paid.no_orphans,
    paid.none_paid_twice,
    paid.none_ended,
    kept.chain_verifies,
    kept.rounds_went_well,
)
