"""The code blocks and links of a page of the documentation.

A block is a fence with its kind (```bash), or lines indented by four spaces (kind ""). HTML comments right before it
are its markers, which no reader sees:

    <!-- parsed: docker -->      it can't be run here, and why (REASONS); its text is parsed all the same
    <!-- setup: api, room -->    what has to be there first: tests/integration/docs/setups/<name>.sh, in that order
    <!-- ends after: 3 s -->     it never ends by itself; it is let run so long, and must not have failed by then
    <!-- refused -->             it must fail: an answer of 4xx, an exit code
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^( *)(`{3,}|~{3,}) *([A-Za-z0-9_+-]*)[^`]*$")
MARKER = re.compile(r"^\s*<!--\s*([a-z ]+?)\s*(?::\s*(.*?))?\s*-->\s*$")
MARKERS = frozenset(["parsed", "setup", "ends after", "refused"])
REASONS = frozenset(["docker", "systemd", "host", "fresh", "long", "live", "excerpt"])
"""docker, systemd; host: another host or a service that is not here; fresh: makes an environment or a clone anew; long:
takes minutes, has a test or a make target of its own; live: costs money; excerpt: a part of something, or an output."""
LINK = re.compile(r"!?\[(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*\]\(\s*([^)\s]+)[^)]*\)")


class BadPage(ValueError):
    """A page that can't be read: names the line, and what is wrong with it."""


@dataclass(frozen=True)
class Block:
    """One code block. line: where its text begins, from 1."""

    page: Path
    line: int
    kind: str
    text: str
    markers: dict[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """`docs/twin.md:14`."""
        shown = self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page.name
        return f"{shown}:{self.line}"

    @property
    def parsed_only(self) -> bool:
        return "parsed" in self.markers


def pages() -> list[Path]:
    """The README and every page under docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks_of(page: Path) -> list[Block]:
    """All code blocks, in order. Raises BadPage for a fence that is not closed and a marker that means nothing."""
    found: list[Block] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    at, markers, listed = 0, {}, False
    while at < len(lines):
        line = lines[at]
        fence, marker = FENCE.match(line), MARKER.match(line)
        if marker:
            markers |= _checked(page, at + 1, marker[1], marker[2] or "")
        elif fence:
            end = _end_of(page, lines, at, fence[2])
            inside = [inner.removeprefix(fence[1]) for inner in lines[at + 1 : end]]
            found.append(Block(page, at + 2, fence[3].lower(), "\n".join(inside) + "\n", markers))
            at, markers = end, {}
        elif line.startswith("    ") and line.strip() and not listed and (at == 0 or not lines[at - 1].strip()):
            end = _end_of_indented(lines, at)
            found.append(Block(page, at + 1, "", "\n".join(inner[4:] for inner in lines[at:end]) + "\n", markers))
            at, markers = end - 1, {}
        elif line.strip():
            markers = {}
            listed = bool(re.match(r"\s*([*+-]|\d+[.)]) ", line)) or (listed and line.startswith(" "))
        at += 1
    return found


def links_of(page: Path) -> list[str]:
    """Where its links and images point, code blocks and code in the text left out."""
    text = page.read_text(encoding="utf-8")
    without_blocks = re.sub(r"^( *)(```|~~~).*?^\1\2\s*$", "", text, flags=re.MULTILINE | re.DOTALL)
    plain = re.sub(r"`[^`\n]*`", "", without_blocks)
    inner = re.findall(r"!\[[^\]]*\]\(\s*([^)\s]+)[^)]*\)", plain)
    return sorted({*LINK.findall(plain), *inner})


def anchors_of(page: Path) -> set[str]:
    """The names of its headings, as GitHub makes them."""
    headings = re.findall(r"^#{1,6} +(.+?) *$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")) for heading in headings]
    return {name.replace(" ", "-") for name in plain}


def _checked(page: Path, line: int, name: str, value: str) -> dict[str, str]:
    if name not in MARKERS:
        return {}  # a comment like any other
    if name == "parsed" and value not in REASONS:
        raise BadPage(f"{page.name}:{line}: `parsed: {value}` must say why: one of {', '.join(sorted(REASONS))}")
    return {name: value}


def _end_of(page: Path, lines: list[str], start: int, fence: str) -> int:
    for at in range(start + 1, len(lines)):
        if lines[at].strip() and not lines[at].strip().strip(fence[0]) and lines[at].strip().startswith(fence):
            return at
    raise BadPage(f"{page.name}:{start + 1}: this code block is never closed")


def _end_of_indented(lines: list[str], start: int) -> int:
    end = start
    while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    return end
