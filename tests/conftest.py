"""What every test shares."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from conversations.models import price
from tests.loop_thread import LoopThread
from tests.twin_process import TwinProcess, running_twin

# How quick a machine is concerns no test.
hypothesis_settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("no clock")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Playwright's loop counts as its thread's running one until the session ends: others run loops of their own, and
    Django closes no test database beside a running one."""
    running = asyncio._get_running_loop()
    if running is None or "tests/browser/" in str(item.path):
        return (yield)
    asyncio._set_running_loop(None)
    try:
        return (yield)
    finally:
        asyncio._set_running_loop(running if nextitem is not None else None)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    tmp_path_factory: pytest.TempPathFactory, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """SQLite as in production, a file with a journal: threads and processes share it as they do there."""
    database = connections["default"]
    if database.vendor == "sqlite":
        database.settings_dict["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """PostgreSQL drops no database that somebody is in: threads of the last tests may be about to leave it."""
    yield
    if connections["default"].vendor == "postgresql":
        with django_db_blocker.unblock(), connections["default"].cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(scope="session", autouse=True)
def _tables_can_be_emptied() -> None:
    """The database refuses to delete what was logged, after a test too: there the guards are lifted."""
    from echoadmin.log.proof import triggers

    empty = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def empty_lifted(case: Any) -> None:
        with triggers.lifted("flush"):
            empty(case)

    TransactionTestCase._fixture_teardown = empty_lifted  # type: ignore[attr-defined]
    database = connections["default"]
    if database.vendor == "postgresql":  # TRUNCATE syncs files of each table to the disk: seconds, for a few rows
        type(database.ops).sql_flush = _delete  # type: ignore[method-assign]


def _delete(ops: Any, style: Any, tables: list[str], **options: Any) -> list[str]:
    return [f"DELETE FROM {ops.quote_name(table)}" for table in tables]


@pytest.fixture(autouse=True)
def _no_prices_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices that a test before this one has read hold no more; until a service changes them there are none."""
    monkeypatch.setattr(price, "_shown", (float("inf"), ()))


@pytest.fixture(autouse=True)
def _wrong_keys_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tests come from one address: what one of them sends wrong is not to be held against the next."""
    from django.conf import settings

    monkeypatch.setattr(settings, "WRONG_KEY_LIMIT", 0)


@pytest.fixture(autouse=True)
def _connection_works(django_db_blocker: Any) -> None:
    """A test begins with a connection that works: one that PostgreSQL ended in the test before is given back."""
    with django_db_blocker.unblock():
        connection = connections["default"]
        open_one = connection.vendor == "postgresql" and connection.connection is not None
        if open_one and not connection.in_atomic_block and not connection.is_usable():
            connection.close()


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    """The loop of all rooms that tests hold in their own process."""
    thread = LoopThread()
    thread.start()
    yield thread
    thread.end()


@pytest.fixture(scope="session")
def session_twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    """The twin of those rooms: a process that has the SDK trusts for good the CA that it first connected with."""
    with running_twin(tmp_path_factory.mktemp("rooms-twin"), speed=50) as started:
        yield started
