"""What this installation is: the mode its database belongs to, its webhook secrets, and which consoles are running."""

from __future__ import annotations

import secrets

from django.db import connection, models

from echoadmin.sealed import SealedField


class Installation(models.Model):
    """One row: stamped at the first start. A database belongs to one mode for good."""

    mode = models.CharField(max_length=16)
    webhook_secret = SealedField()  # of the address that new conversations report to
    webhook_secret_since = models.DateTimeField(null=True, blank=True)  # NULL: from the beginning
    database_key = models.CharField(max_length=64, default="", db_default="")  # tells this database from another's
    created_at = models.DateTimeField(auto_now_add=True)
    at_rest_since = models.DateTimeField(null=True, blank=True)  # restored from a backup, and not woken yet

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_installation")]

    def __str__(self) -> str:
        return f"{self.mode} installation"


class WrongMode(RuntimeError):
    """The database belongs to the other mode; the message says what to do."""


class UnfinishedRestore(WrongMode):
    """A restore ended halfway: what lies there may still be about to speak."""


UNFINISHED = "echoadmin_unfinished_restore"  # a table that is there while a backup is restored


def refuse_other_mode(mode: str) -> None:
    """Raise WrongMode when the database was stamped with another mode; an empty database belongs to nobody yet.
    Raise UnfinishedRestore where a backup was not restored to its end."""
    tables = connection.introspection.table_names()
    if UNFINISHED in tables:
        raise UnfinishedRestore("a backup was being restored into this database and that did not end; restore it anew")
    if Installation._meta.db_table not in tables:
        return
    stamped = Installation.objects.values_list("mode", flat=True).first()
    if stamped not in (None, mode):
        raise WrongMode(
            f"this database belongs to the {stamped} mode, and ECHOADMIN_MODE is {mode}: made-up and paid "
            f"rows are never mixed. Set ECHOADMIN_MODE={stamped}, or give another DATABASE_URL or ECHOADMIN_DATA"
        )


def stamp(mode: str) -> Installation:
    """The installation's one row, made at the first call; raises WrongMode."""
    row, _ = Installation.objects.get_or_create(
        id=1, defaults={"mode": mode, "webhook_secret": new_webhook_secret(), "database_key": secrets.token_urlsafe(32)}
    )
    if row.mode != mode:
        refuse_other_mode(mode)
    return row


def is_at_rest() -> bool:
    """Whether this is a restored copy that nobody has woken: its duties reach nothing outside."""
    return Installation.objects.filter(at_rest_since__isnull=False).exists()


def wake() -> bool:
    """From now on it does all its duties; False when it was awake."""
    return bool(Installation.objects.filter(at_rest_since__isnull=False).update(at_rest_since=None))


def new_webhook_secret() -> str:
    """43 characters that fit a URL, of 32 random bytes."""
    return secrets.token_urlsafe(32)


class OldWebhookSecret(models.Model):
    """A webhook secret that was replaced, as its hash. It counts for a while: conversations that were made with it go
    on reporting to its address. `until_ended`: as long as one of those lasts."""

    sha256 = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField()
    retired_at = models.DateTimeField()
    honoured_until = models.DateTimeField()
    until_ended = models.BooleanField(default=True)
    uses = models.BigIntegerField(default=0)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"webhook secret until {self.retired_at:%Y-%m-%d %H:%M}"


class Console(models.Model):
    """One running console process; its lease tells the others that it is alive."""

    name = models.CharField(max_length=200, unique=True)
    host = models.CharField(max_length=200)
    pid = models.IntegerField()
    address = models.CharField(max_length=200, blank=True, default="")  # where it answers on its own machine
    started_at = models.DateTimeField()
    lease_until = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
