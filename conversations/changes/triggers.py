"""The triggers that note changes of states, on both engines. They are made after each migrate: see before_migrate()."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Model

from conversations.models import Conversation, Echo, Room, StateChange
from echoadmin.deliveries.models import Subscription

INTO = StateChange._meta.db_table
WANTING = Subscription._meta.db_table
VERBS = ("INSERT", "UPDATE")


@dataclass(frozen=True, slots=True)
class Watched:
    """A table whose states are told: the columns that are its state, and those that are noted with it."""

    subject: str
    model: type[Model]
    states: tuple[str, ...]
    facts: tuple[str, ...]

    @property
    def table(self) -> str:
        """Its name in the database."""
        return self.model._meta.db_table

    def name(self, verb: str) -> str:
        """The trigger's."""
        return f"{self.table}_told_on_{verb.lower()}"


ECHO = Watched(
    "echo",
    Echo,
    ("state",),
    (
        *("state", "reason", "detail", "wire_id", "heard_id", "seconds", "position", "chunks", "chunks_sent"),
        *("queued_at", "sending_at", "sent_at", "speaking_at", "spoken_at", "ended_at", "closed_at"),
        *("revision", "edited_by", "decided_by", "decided_at"),
    ),
)
ROOM = Watched("room", Room, ("state",), ("state", "wanted", "error", "replica_present", "worker_id"))
CONVERSATION = Watched(
    "conversation",
    Conversation,
    ("state", "status"),
    ("state", "status", "upstream_id", "conversation_url", "ended_at", "ended_reason"),
)
WATCHED = (ECHO, ROOM, CONVERSATION)


def install(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Makes the triggers that are missing or say something else; returns their names."""
    connection = connections[using]
    lacking = missing(using)
    if lacking and _tables_are_there(connection):
        with transaction.atomic(using=using), connection.cursor() as cursor:
            for watched in WATCHED:
                for statement in _statements(connection.vendor, watched):
                    cursor.execute(statement)
    return lacking


def missing(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Names of the triggers that are not there, are switched off, or don't say what they should."""
    connection = connections[using]
    wanted = {name: text for watched in WATCHED for name, text in _texts(connection.vendor, watched).items()}
    with connection.cursor() as cursor:
        cursor.execute(_POSTGRESQL_HAS if connection.vendor == "postgresql" else _SQLITE_HAS)
        found = dict(cursor.fetchall())
    return sorted(name for name, text in wanted.items() if _squeezed(found.get(name) or "") != _squeezed(text))


def remove(using: str = DEFAULT_DB_ALIAS) -> None:
    """Takes all of them away."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for watched in WATCHED:
            on = f" ON {watched.table}" if connection.vendor == "postgresql" else ""
            for verb in VERBS:
                cursor.execute(f"DROP TRIGGER IF EXISTS {watched.name(verb)}{on}")


def before_migrate(sender: Any, using: str, **kwargs: Any) -> None:
    """Connected to pre_migrate. SQLite renames no table while a trigger names one that is being made anew."""
    if kwargs.get("plan") and connections[using].vendor == "sqlite":
        remove(using)


def after_migrate(sender: Any, using: str, **kwargs: Any) -> None:
    """Connected to post_migrate."""
    install(using)


_SQLITE_HAS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
# A trigger without its function, and the other way round, tells nothing: what counts is the function's body.
_POSTGRESQL_HAS = """
    SELECT tgname, prosrc FROM pg_trigger
    JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') AND relnamespace = current_schema()::regnamespace
"""


def _tables_are_there(connection: Any) -> bool:
    """False while migrations are only partly applied."""
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
        if not {INTO, WANTING, *(watched.table for watched in WATCHED)} <= there:
            return False
        for watched in WATCHED:
            columns = {one.name for one in connection.introspection.get_table_description(cursor, watched.table)}
            if not set(watched.facts) <= columns:
                return False
    return True


def _texts(vendor: str, watched: Watched) -> dict[str, str]:
    """By trigger: what the database has of it."""
    if vendor == "postgresql":
        return {watched.name(verb): _body(watched) for verb in VERBS}
    return {watched.name(verb): _sqlite(watched, verb) for verb in VERBS}


def _statements(vendor: str, watched: Watched) -> list[str]:
    if vendor != "postgresql":
        drops = [f"DROP TRIGGER IF EXISTS {watched.name(verb)}" for verb in VERBS]
        return drops + [_sqlite(watched, verb) for verb in VERBS]
    function = f"{watched.table}_told"
    changed = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in watched.states)
    return [
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $told${_body(watched)}$told$",
        f"DROP TRIGGER IF EXISTS {watched.name('INSERT')} ON {watched.table}",
        f"CREATE TRIGGER {watched.name('INSERT')} AFTER INSERT ON {watched.table} "
        f"FOR EACH ROW EXECUTE FUNCTION {function}()",
        f"DROP TRIGGER IF EXISTS {watched.name('UPDATE')} ON {watched.table}",
        f"CREATE TRIGGER {watched.name('UPDATE')} AFTER UPDATE OF {', '.join(watched.states)} ON {watched.table} "
        f"FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION {function}()",
    ]


def _wanted(watched: Watched, as_text: str) -> str:
    """Whether a subscription that is on has all types, or some of this subject's."""
    return (
        f"EXISTS (SELECT 1 FROM {WANTING} WHERE enabled AND "
        f"({as_text} = '[]' OR {as_text} LIKE '%\"{watched.subject}.%'))"
    )


def _state(row: str, watched: Watched) -> str:
    return " || '/' || ".join(f"{row}.{name}" for name in watched.states)


def _body(watched: Watched) -> str:
    """PostgreSQL's function. On INSERT there is no OLD: its columns are NULL (since PostgreSQL 11)."""
    facts = ", ".join(f"'{name}', NEW.{name}" for name in watched.facts)
    return f"""
BEGIN
    IF {_wanted(watched, "event_types::text")} THEN
        INSERT INTO {INTO} (subject, row_id, was, state, at, facts) VALUES ('{watched.subject}', NEW.id,
            COALESCE({_state("OLD", watched)}, ''), {_state("NEW", watched)}, clock_timestamp(),
            json_build_object({facts})::text);
    END IF;
    RETURN NULL;
END
"""


def _sqlite(watched: Watched, verb: str) -> str:
    facts = ", ".join(f"'{name}', NEW.{name}" for name in watched.facts)
    changed = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in watched.states)
    event, when, was = "INSERT", "", "''"
    if verb == "UPDATE":
        event, when, was = f"UPDATE OF {', '.join(watched.states)}", f"({changed}) AND ", _state("OLD", watched)
    return (
        f"CREATE TRIGGER {watched.name(verb)} AFTER {event} ON {watched.table} FOR EACH ROW "
        f"WHEN {when}{_wanted(watched, 'event_types')} BEGIN "
        f"INSERT INTO {INTO} (subject, row_id, was, state, at, facts) VALUES ('{watched.subject}', NEW.id, {was}, "
        f"{_state('NEW', watched)}, strftime('%Y-%m-%d %H:%M:%f', 'now'), json_object({facts})); END"
    )


def _squeezed(text: str) -> str:
    """Without what databases add or leave out when they give a definition back: quotes and spaces."""
    return "".join(text.replace('"', "").split()).lower()
