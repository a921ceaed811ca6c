"""How often somebody may try to sign in: counted in the database, so that all consoles count together.

Failures count for a name at an address, and for the address: who guesses is stopped, and the name's owner, who comes
from another address, is not. Each try takes its place before the password is looked at: a hundred at once are no way
round. Names and addresses are kept as keyed hashes alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.crypto import salted_hmac

from echoadmin.accounts.models import SignInAttempt

WINDOW = timedelta(minutes=15)
FOR_A_NAME = 5  # failures at one address
FOR_AN_ADDRESS = 50  # failures, whatever the names: people share addresses


class TooManyAttempts(ValidationError):
    """No try is taken for `wait` seconds; the form shows the message."""

    def __init__(self, wait: int) -> None:
        minutes = math.ceil(wait / 60)
        words = f"Too many failed tries from your address. Wait {minutes} minute{'s' if minutes > 1 else ''}, then "
        super().__init__(f"{words}try again; from another address you can sign in meanwhile.", code="too_many_attempts")
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try that was let in. It counts as failed until it succeeds."""

    rows: tuple[SignInAttempt, SignInAttempt]

    def succeeded(self) -> None:
        """What failed before for this name at this address is forgotten; of the address, this one try."""
        of_name, of_address = self.rows
        SignInAttempt.objects.filter(place=of_name.place).delete()
        of_address.delete()


def begin(name: str, address: str) -> Attempt:
    """Take a place. Raises TooManyAttempts; a try that is refused does not make the wait longer."""
    now = timezone.now()
    near = network_of(address)
    places = (_place("name", name.casefold(), near), FOR_A_NAME), (_place("address", near), FOR_AN_ADDRESS)
    rows = tuple(SignInAttempt.objects.create(place=place, at=now) for place, _ in places)
    waits = [_wait(row, most) for row, (_, most) in zip(rows, places, strict=True)]
    if any(waits):
        SignInAttempt.objects.filter(pk__in=[row.pk for row in rows]).delete()
        raise TooManyAttempts(max(waits))
    return Attempt((rows[0], rows[1]))


def forget_old() -> int:
    """Deletes tries that count no more; returns how many."""
    return SignInAttempt.objects.filter(at__lt=timezone.now() - WINDOW).delete()[0]


def _wait(row: SignInAttempt, most: int) -> int:
    """Seconds until this try would be let in; 0: now."""
    before = SignInAttempt.objects.filter(place=row.place, pk__lt=row.pk, at__gt=row.at - WINDOW)
    nearest = list(before.order_by("-pk").values_list("at", flat=True)[:most])
    return max(1, math.ceil((nearest[-1] + WINDOW - row.at).total_seconds())) if len(nearest) == most else 0


def network_of(address: str) -> str:
    """Whose the address is: an IPv6 address stands for its /64, which is one customer's."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    return str(ip) if ip.version == 4 else str(ip_address(int(ip) >> 64 << 64))


def _place(*parts: str) -> str:
    return salted_hmac("echoadmin.sign_in", "\0".join(parts), algorithm="sha256").hexdigest()
