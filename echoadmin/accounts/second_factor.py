"""Codes from an authenticator (TOTP, RFC 6238), and codes on paper for the day it is lost. The seed is sealed, the
paper codes are hashes; each code is taken once."""

from __future__ import annotations

import secrets
import time

import pyotp
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from echoadmin.accounts.models import SecondFactor
from echoadmin.accounts.recording import record
from echoadmin.accounts.roles import role_of
from echoadmin.actors import Actor
from echoadmin.sealed import seal, unseal

BACKUP_CODES = 10
STEP = 30  # seconds of one code
LATE = 1  # steps that a clock may be off, either way


def of(user: User) -> SecondFactor | None:
    """The user's authenticator that is in use."""
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).first()


def any_in_use() -> bool:
    """Whether anybody has one."""
    return SecondFactor.objects.filter(confirmed_at__isnull=False).exists()


def is_missing(user: User) -> bool:
    """Whether the user's role asks for an authenticator (ECHOADMIN_TOTP_ROLES) and they have none yet."""
    return role_needs_one(user) and of(user) is None


def role_needs_one(user: User) -> bool:
    """Whether ECHOADMIN_TOTP_ROLES names the user's role."""
    return bool(settings.TOTP_ROLES) and role_of(user) in settings.TOTP_ROLES


def begin(user: User) -> SecondFactor:
    """One to be confirmed; the same seed again until it is. Raises ValidationError where one is in use."""
    row, _ = SecondFactor.objects.get_or_create(user=user, defaults={"sealed_seed": seal(pyotp.random_base32())})
    if row.confirmed_at:
        raise ValidationError("You have an authenticator. Remove it first.")
    return row


def address_of(row: SecondFactor) -> str:
    """The otpauth:// address that an authenticator reads from a QR code."""
    issuer = f"echoadmin {settings.MODE}"
    return str(_totp(row).provisioning_uri(name=row.user.get_username(), issuer_name=issuer))


def seed_of(row: SecondFactor) -> str:
    """For authenticators that are typed into."""
    return unseal(row.sealed_seed)


def confirm(row: SecondFactor, code: str, *, actor: Actor) -> list[str]:
    """Takes it into use; returns the codes on paper, told this once. Raises ValidationError for a wrong code."""
    if row.confirmed_at or not _take_step(row, code):
        raise ValidationError("This is not the code of this minute. Look at the clock of your authenticator.")
    with transaction.atomic():
        codes = _new_codes(row)
        row.confirmed_at = timezone.now()
        row.save(update_fields=["confirmed_at", "backup_codes"])
        record("totp.enabled", actor, {"user": row.user.get_username()})
    return codes


def renew_codes(row: SecondFactor, *, actor: Actor) -> list[str]:
    """New codes on paper; the old ones count no more."""
    with transaction.atomic():
        codes = _new_codes(row)
        row.save(update_fields=["backup_codes"])
        record("totp.codes_renewed", actor, {"user": row.user.get_username()})
    return codes


def remove(row: SecondFactor, *, actor: Actor) -> None:
    """Its user signs in with a password alone from now on, or enrols again where that is asked for."""
    with transaction.atomic():
        row.delete()
        record("totp.removed", actor, {"user": row.user.get_username()})


def takes(row: SecondFactor, code: str, *, actor: Actor) -> bool:
    """Whether this code is right, and was not taken before. Of a code on paper the log says that it was used."""
    code = code.replace(" ", "").replace("-", "").lower()
    if _take_step(row, code):
        return True
    if not _take_paper(row, code):
        return False
    row.refresh_from_db()
    record("totp.backup_code_used", actor, {"user": row.user.get_username(), "left": len(row.backup_codes)})
    return True


def _take_step(row: SecondFactor, code: str) -> bool:
    if not (code.isascii() and code.isdigit() and len(code) == 6):
        return False
    now = int(time.time()) // STEP
    totp = _totp(row)
    steps = [
        step for step in range(now - LATE, now + LATE + 1) if secrets.compare_digest(totp.generate_otp(step), code)
    ]
    fresh = SecondFactor.objects.filter(pk=row.pk, last_step__lt=max(steps, default=0))
    return bool(steps) and fresh.update(last_step=max(steps)) == 1


def _take_paper(row: SecondFactor, code: str) -> bool:
    hashed = _hash(row, code)
    with transaction.atomic():
        current = SecondFactor.objects.select_for_update().get(pk=row.pk)
        if hashed not in current.backup_codes:
            return False
        current.backup_codes = [one for one in current.backup_codes if one != hashed]
        current.save(update_fields=["backup_codes"])
        return True


def _new_codes(row: SecondFactor) -> list[str]:
    codes = [secrets.token_hex(5) for _ in range(BACKUP_CODES)]
    row.backup_codes = [_hash(row, code) for code in codes]
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def _hash(row: SecondFactor, code: str) -> str:
    return salted_hmac(f"echoadmin.totp.{row.user_id}", code, algorithm="sha256").hexdigest()


def _totp(row: SecondFactor) -> pyotp.TOTP:
    return pyotp.TOTP(unseal(row.sealed_seed), interval=STEP)
