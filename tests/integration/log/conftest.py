"""What the log's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from echoadmin.log.writer import Writer


@pytest.fixture
def writer(transactional_db: None) -> Iterator[Writer]:
    """A running writer with its own thread and connection, stopped at the end."""
    made = Writer()
    made.start()
    yield made
    made.stop()
