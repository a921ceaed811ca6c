"""The database itself refuses to change or delete what was logged, on both engines.

Guarded are entries, the bodies beside them, samples, streams' names, checkpoints and the leaves of what was pruned.
Pruning, erasure and the few others of PURPOSES work inside `lifted()`: in that one transaction, and for no other
connection, the guards let through what the purpose needs. Whoever may change the database's schema can take the guards
away; that they are there, and say what they should, is looked at by `manage.py check` and `manage.py verify_log`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from echoadmin.log.models import Entry

Purpose = Literal["prune", "erase", "upload", "flush"]

ERASABLE = ("body", "said", "erased_at")  # of an entry: all else of it is in its leaf, or tells where it belongs
SETTING = "echoadmin.lifted"  # on PostgreSQL: set for one transaction
LIFT_TABLE = "log_lift"  # on SQLite: a row that is gone before the commit; no other connection ever sees it
FUNCTION = "log_refuse"


@dataclass(frozen=True, slots=True)
class Guard:
    """One trigger: what it refuses on which table, and for which purposes it lets it through."""

    table: str
    verb: str  # UPDATE, DELETE or TRUNCATE
    purposes: tuple[Purpose, ...] = ()
    columns: tuple[str, ...] = ()  # of an UPDATE; none: of any
    suffix: str = ""

    @property
    def name(self) -> str:
        """The trigger's name."""
        return f"{self.table}_refuses_{self.verb.lower()}{self.suffix}"

    @property
    def event(self) -> str:
        """As CREATE TRIGGER has it."""
        return f"{self.verb} OF {', '.join(self.columns)}" if self.columns else self.verb


def guards(vendor: str) -> list[Guard]:
    """What is refused. TRUNCATE is PostgreSQL's alone."""
    final = tuple(f'"{field.column}"' for field in Entry._meta.concrete_fields if field.column not in ERASABLE)
    found = [
        Guard("log_entry", "UPDATE", columns=final),
        Guard("log_entry", "UPDATE", ("erase",), ERASABLE, "_of_words"),
        Guard("log_entry", "DELETE", ("prune", "flush")),
        Guard("log_entrybody", "UPDATE"),
        Guard("log_entrybody", "DELETE", ("prune", "erase", "flush")),
        Guard("log_clippart", "UPDATE"),
        Guard("log_clippart", "DELETE", ("prune", "erase", "upload", "flush")),
        Guard("log_stream", "UPDATE", columns=("id", "public_id")),
        Guard("log_stream", "DELETE", ("flush",)),
    ]
    for table in ("log_checkpoint", "log_checkpointhead", "log_pruned", "log_signingkey"):
        found += [Guard(table, "UPDATE"), Guard(table, "DELETE", ("flush",))]
    if vendor == "postgresql":
        found += [Guard(table, "TRUNCATE", ("flush",)) for table in sorted({guard.table for guard in found})]
    return found


@contextmanager
def lifted(purpose: Purpose, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """A transaction (or a part of the open one) in which the guards let through what `purpose` needs."""
    connection = connections[using]
    with transaction.atomic(using=using):
        _lift(connection, purpose)
        yield
        _lower(connection)  # after an error the rollback does it


def _lift(connection: BaseDatabaseWrapper, purpose: Purpose) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT set_config(%s, %s, true)", [SETTING, purpose])
        else:
            cursor.execute(f"INSERT INTO {LIFT_TABLE} (purpose) VALUES (%s)", [purpose])


def _lower(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT set_config(%s, '', true)", [SETTING])
        else:
            cursor.execute(f"DELETE FROM {LIFT_TABLE}")


def install(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Makes the guards that are missing or say something else; returns their names. Runs after each migrate.

    Django's SQLite schema editor makes a changed table anew, and the triggers of the old one go with it.
    """
    connection = connections[using]
    lacking = missing(using)
    if lacking and _tables_are_there(connection):
        with transaction.atomic(using=using), connection.cursor() as cursor:
            for statement in _preparation(connection.vendor):
                cursor.execute(statement)
            for guard in guards(connection.vendor):
                cursor.execute(f"DROP TRIGGER IF EXISTS {_named(connection.vendor, guard)}")
                cursor.execute(_creation(connection.vendor, guard))
    return lacking


def _tables_are_there(connection: BaseDatabaseWrapper) -> bool:
    """False while the log's migrations are only partly applied."""
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
        if not {guard.table for guard in guards(connection.vendor)} <= there:
            return False
        columns = {column.name for column in connection.introspection.get_table_description(cursor, "log_entry")}
    return {field.column for field in Entry._meta.concrete_fields} <= columns


def remove(using: str = DEFAULT_DB_ALIAS) -> None:
    """Takes all guards away: for tests that do what somebody with the schema's rights could do."""
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        for guard in guards(connection.vendor):
            cursor.execute(f"DROP TRIGGER IF EXISTS {_named(connection.vendor, guard)}")


def missing(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Names of the guards that are not there, are switched off, or don't say what they should."""
    connection = connections[using]
    wanted = {guard.name: _said(connection.vendor, guard) for guard in guards(connection.vendor)}
    if connection.vendor == "postgresql":
        wanted[FUNCTION] = _squeezed(_BODY)
    found = _found(connection)
    lacking = sorted(name for name, text in wanted.items() if found.get(name) != text)
    if _is_left_lifted(connection):
        lacking.append(f"{LIFT_TABLE} (it has rows, so the guards let things through)")
    return lacking


def _named(vendor: str, guard: Guard) -> str:
    return f'"{guard.name}" ON "{guard.table}"' if vendor == "postgresql" else f'"{guard.name}"'


# On PostgreSQL one function serves all triggers and gets the purposes as its arguments.
_BODY = f"""
BEGIN
    IF current_setting('{SETTING}', true) = ANY (TG_ARGV) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% of % refused: what was logged is final', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
"""


def _preparation(vendor: str) -> list[str]:
    if vendor == "postgresql":
        return [f"CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $guard${_BODY}$guard$"]
    return [
        f"CREATE TABLE IF NOT EXISTS {LIFT_TABLE} (purpose text NOT NULL)",
        f"DELETE FROM {LIFT_TABLE}",
    ]


def _creation(vendor: str, guard: Guard) -> str:
    purposes = ", ".join(f"'{purpose}'" for purpose in guard.purposes)
    if vendor == "postgresql":
        return (
            f'CREATE TRIGGER "{guard.name}" BEFORE {guard.event} ON "{guard.table}" '
            f"FOR EACH STATEMENT EXECUTE FUNCTION {FUNCTION}({purposes})"
        )
    lifting = f"WHEN NOT EXISTS (SELECT 1 FROM {LIFT_TABLE} WHERE purpose IN ({purposes})) " if purposes else ""
    return (
        f'CREATE TRIGGER "{guard.name}" BEFORE {guard.event} ON "{guard.table}" {lifting}'
        f"BEGIN SELECT RAISE(ABORT, '{guard.verb} of {guard.table} refused: what was logged is final'); END"
    )


def _said(vendor: str, guard: Guard) -> str:
    return _squeezed(_creation(vendor, guard))


def _found(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """What the database has: names and texts, comparable with what _creation() wrote."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_IN_POSTGRESQL, [FUNCTION])
        else:
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        return {name: _squeezed(text) for name, text in cursor.fetchall()}


def _is_left_lifted(connection: BaseDatabaseWrapper) -> bool:
    """Whether a row lies in SQLite's table for good; PostgreSQL's setting ends with its transaction."""
    if connection.vendor == "postgresql":
        return False
    with connection.cursor() as cursor:
        if LIFT_TABLE not in connection.introspection.table_names(cursor):
            return False
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {LIFT_TABLE})")
        return bool(cursor.fetchone()[0])


_IN_POSTGRESQL = """
SELECT tgname, CASE WHEN tgenabled IN ('O', 'A') THEN pg_get_triggerdef(pg_trigger.oid, true) ELSE '' END
FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace
UNION ALL SELECT proname, prosrc FROM pg_proc WHERE proname = %s AND pronamespace = current_schema()::regnamespace
"""


def _squeezed(text: str) -> str:
    """Without what databases add or leave out when they give a definition back: quotes and spaces."""
    return "".join(text.replace('"', "").split()).lower()
