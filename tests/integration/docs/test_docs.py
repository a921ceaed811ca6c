"""Every code block of the README and of docs/: run in its order on a fresh console, or parsed where it can't be run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.console_process import running_console
from tests.integration.docs import asks, kinds, shell
from tests.markdown import ROOT, Block, blocks_of, pages

NAMES = [str(page.relative_to(ROOT)) for page in pages()]


def to_run(name: str) -> list[Block]:
    return [block for block in blocks_of(ROOT / name) if block.kind in kinds.RUN and not block.parsed_only]


@pytest.mark.parametrize("name", NAMES)
def test_every_block_is_what_it_says(name: str) -> None:
    for block in blocks_of(ROOT / name):
        kinds.check(block)
        if block.kind in kinds.SHELL:
            assert asks.strangers(kinds.commands(block)) == [], block.where


@pytest.mark.own_database
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", [name for name in NAMES if to_run(name)])
def test_a_page_does_what_it_says_on_a_fresh_console(name: str, tmp_path: Path) -> None:
    with running_console(tmp_path / "console", TWIN_SPEED="20") as console:
        folder = tmp_path / "clone"
        folder.mkdir()
        shell.run(to_run(name), console, folder)
