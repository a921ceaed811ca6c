"""The pages for people: their links lead somewhere, and the reader of their code blocks reads them right."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.docs import asks, kinds
from tests.markdown import ROOT, BadPage, anchors_of, blocks_of, links_of, pages

PAGES = {str(page.relative_to(ROOT)): page for page in pages()}


@pytest.mark.parametrize("name", PAGES)
def test_every_link_and_picture_leads_to_a_file_and_a_heading_that_are_there(name: str) -> None:
    page, lost = PAGES[name], []
    for link in links_of(page):
        if link.startswith(("https:", "http:", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors_of(target)):
            lost.append(link)
    assert lost == []


def test_the_index_lists_every_page_with_a_line() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    missing = [page.name for page in pages()[1:] if page.name != "README.md" and f"]({page.name}) |" not in index]
    assert missing == []


def written(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


def test_blocks_are_found_with_their_kind_line_and_markers(tmp_path: Path) -> None:
    text = (
        "Words.\n\n<!-- parsed: docker -->\n<!-- setup: api -->\n```bash\ndocker ps\n```\n\n"
        "1. A step:\n\n   ```json\n   {}\n   ```\n\n       words of the list\n\n"
        "Words.\n\n    indented\n    on\n\n```\nbare\n```\n"
    )
    found = [(block.line, block.kind, block.text, block.markers) for block in blocks_of(written(tmp_path, text))]
    assert found == [
        (6, "bash", "docker ps\n", {"parsed": "docker", "setup": "api"}),
        (12, "json", "{}\n", {}),
        (19, "", "indented\non\n", {}),
        (23, "", "bare\n", {}),
    ]


@pytest.mark.parametrize("text", ["```bash\nnever closed\n", "<!-- parsed: too hard -->\n```bash\nx\n```\n"])
def test_a_page_that_can_not_be_read_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadPage, match=r"page\.md"):
        blocks_of(written(tmp_path, text))


GOOD = {
    "bash": "echo $((1 + 1))",
    "console": "$ echo one \\\n  two\none two",
    "python": "import os",
    "json": '{"a": 1}',
    "ndjson": '{"a": 1}\n{"b": 2}',
    "http": "POST /api/v1/views/ HTTP/1.1\nContent-Type: application/json\n\n{}",
    "yaml": "a:\n  - b",
    "toml": "a = 1",
    "ini": "[Unit]\nAfter=network.target\nAfter=redis.service",
    "env": "# a\nPORT=8000\nexport HOST=::1",
    "dockerfile": "FROM python:3.11\nRUN a \\\n  && b",
    "nginx": 'location / {\n  add_header X "a; b";  # a { comment\n}',
    "caddy": "echo.example.com {\n  reverse_proxy 127.0.0.1:8000\n}",
    "xml": "<a/>",
    "text": "anything",
}
BAD = {
    "bash": "if true; do",
    "console": "no command",
    "python": "def f(:",
    "json": "{…}",
    "ndjson": '{"a": 1} {"b": 2}',
    "http": "Do this:\n\n{}",
    "yaml": "a: [b",
    "toml": "a = ",
    "ini": "After=network.target",
    "env": "PORT 8000",
    "dockerfile": "PULL python",
    "nginx": "location / { proxy_pass http://a }",
    "caddy": "echo.example.com {",
    "xml": "<a>",
    "text": " ",
    "": "anything",
    "cobol": "anything",
}


@pytest.mark.parametrize("kind", GOOD)
def test_what_is_of_its_kind_passes(tmp_path: Path, kind: str) -> None:
    [block] = blocks_of(written(tmp_path, f"```{kind}\n{GOOD[kind]}\n```\n"))
    kinds.check(block)


@pytest.mark.parametrize("kind", BAD)
def test_what_is_not_or_has_no_known_kind_is_refused(tmp_path: Path, kind: str) -> None:
    [block] = blocks_of(written(tmp_path, f"```{kind}\n{BAD[kind]}\n```\n"))
    with pytest.raises(kinds.BadBlock, match=r"page\.md:2"):
        kinds.check(block)


def test_the_commands_of_a_console_block_are_what_follows_the_prompt(tmp_path: Path) -> None:
    [block] = blocks_of(written(tmp_path, "```console\n$ echo one \\\n> two\none two\n$ date\nSat\n```\n"))
    assert kinds.commands(block) == "echo one \\\ntwo\ndate\n"


def test_shell_lines_are_held_to_what_there_is() -> None:
    text = (
        "X=1 make lint types && make no-such-target\npython manage.py drift --json --nope\n"
        "for n in 1 2; do .venv/bin/python manage.py absent; done\npython3 tests/absent.py  # make nothing\n"
    )
    assert asks.strangers(text) == [
        "make no-such-target",
        "manage.py drift --nope",
        "manage.py absent",
        "tests/absent.py",
    ]
