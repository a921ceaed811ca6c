"""The leaves of what was pruned: written with a signature, read back and judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256

from echoadmin.log.chain import canonical, instant
from echoadmin.log.models import Pruned
from echoadmin.log.proof import numbers, signing

FORMAT = "echoadmin pruned 1"


def signed_row(stream: int, public_id: str, leaves: list[tuple[int, bytes]], at: datetime, rule: str) -> Pruned:
    """A row, not saved yet, for entries of one stream: (number, leaf) each, ascending. Raises BadSigningKey."""
    packed, joined = numbers.pack(n for n, _ in leaves), b"".join(leaf for _, leaf in leaves)
    key_id = signing.key_id(signing.public_key())
    _, signature = signing.sign(document(public_id, packed, joined, at, rule, key_id))
    return Pruned(
        stream=stream,
        first_n=leaves[0][0],
        last_n=leaves[-1][0],
        count=len(leaves),
        numbers=packed,
        leaves=joined,
        at=at,
        rule=rule,
        key_id=key_id,
        signature=signature,
    )


def document(public_id: str, packed: str, leaves: bytes, at: datetime, rule: str, key_id: str) -> bytes:
    """What is signed."""
    return canonical(
        {
            "format": FORMAT,
            "stream": public_id,
            "numbers": packed,
            "leaves_sha256": sha256(leaves).hexdigest(),
            "at": instant(at),
            "rule": rule,
            "key": key_id,
        }
    ).encode("ascii")


def stored_document(row: Pruned, public_id: str) -> bytes:
    """The document of a row, made again from it."""
    return document(public_id, row.numbers, bytes(row.leaves), row.at, row.rule, row.key_id)


def rows_between(stream: int, after: int, upto: int) -> Iterable[Pruned]:
    """The rows that have numbers with after < n <= upto."""
    return Pruned.objects.filter(stream=stream, first_n__lte=upto, last_n__gt=after).order_by("first_n", "id")


def judge(row: Pruned, public_id: str) -> signing.Verdict:
    """Whether the row is as a trusted key signed it."""
    return signing.judge(stored_document(row, public_id), row.key_id, bytes(row.signature))


def leaves(row: Pruned) -> Iterator[tuple[int, bytes]]:
    """Its numbers and leaves. Raises ValueError where they don't match."""
    joined = bytes(row.leaves)
    found = list(numbers.unpack(row.numbers))
    if len(joined) != 32 * len(found):
        raise ValueError(f"{len(found)} numbers and {len(joined) / 32:g} leaves")
    return ((n, joined[at * 32 : at * 32 + 32]) for at, n in enumerate(found))
