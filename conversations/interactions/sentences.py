"""Sentences out of a text that comes bit by bit, as a language model writes it. No clock and no Django here.

A sentence is given out once it is known to have ended, which what follows it tells: a full stop in a number or after an
abbreviation ends nothing. Where a text has no ends, it is cut where `split` would cut it.
"""

from __future__ import annotations

import re

from conversations.interactions.split import SENTENCE, TAG, best_cut, inside

SHORTEST = 20
"""Characters (a wide one, as in Chinese, counts three): a shorter sentence is said with the one that follows, for each
takes its own turn in the room."""
LONGEST = 400
"""Characters of a sentence without an end that are cut: some 27 s of speech."""

AFTER = 64
"""Characters after a sentence that are looked at."""

_WIDE_FROM = "\u2e80"  # about where the scripts begin of which one character is a syllable or a word
_STOPS = ".…"  # what also stands in the middle of a sentence
_WORD = re.compile(r"\w+")
_ABBREVIATIONS = frozenset(
    _WORD.findall(
        "adj adv approx apr aug ave bd bsp bzw ca capt cf ch cie col corp dec dept dr dra ed ehem eng esp etc ev evtl "
        "excl exp feb ff fr gov hon inc incl insb jr ltd maj mlle mme mr mrs ms mt nb nov oct okt prof rd ref rep rev "
        "sept sgt sog sr sra st usf usw vgl vs zb zzgl"
    )
)
_NUMBERED = frozenset(_WORD.findall("abb art bl ch fig jan jul jun kap lt mar max min no nr op pp s sec tab tel vol"))
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘«]*$")
_OPEN_TAG = re.compile(r"<[^<>]{0,200}$")


class Sentences:
    """What has come and is not given out yet."""

    def __init__(self) -> None:
        self._text = ""

    @property
    def waiting(self) -> int:
        """Characters that wait for their sentence's end."""
        return len(self._text)

    def add(self, more: str) -> list[str]:
        """The sentences that are whole now, in order, without the white space around them."""
        self._text += more
        found = []
        while cut := self._ended() or self._too_long():
            if words := self._take(cut):
                found.append(words)
        return found

    def rest(self, *, whole: bool) -> str:
        """What waits, though no end was seen; "" for nothing. Unless it is the `whole` rest, a tag stays that is not
        closed, or has no words yet."""
        begun = None if whole else _OPEN_TAG.search(self._text)
        cut = begun.start() if begun else len(self._text)
        return self._take(cut) if whole or _length(self._text[:cut]) else ""

    def _take(self, cut: int) -> str:
        """What stands before `cut`; "" where that is nothing to say."""
        words, self._text = self._text[:cut].strip(), self._text[cut:].lstrip()
        return words if _length(words) else ""

    def _ended(self) -> int:
        """Where the first sentence ends that is long enough; 0: nowhere yet."""
        text = self._text[: LONGEST + AFTER]
        tags = [match.span() for match in TAG.finditer(text)]
        for match in SENTENCE.finditer(text):
            end = match.end()
            if end > LONGEST:
                break
            if _length(text[:end]) >= SHORTEST and not inside(end, tags) and _ends(text, match.start(), end):
                return end
        return 0

    def _too_long(self) -> int:
        return best_cut(self._text, LONGEST) if len(self._text) > LONGEST + AFTER else 0


def _length(text: str) -> int:
    words = TAG.sub("", text).strip()
    return len(words) if words.isascii() else sum(3 if char >= _WIDE_FROM else 1 for char in words)


def _ends(text: str, start: int, end: int) -> bool:
    """Whether the mark at `start` to `end` ends a sentence, as far as what follows it tells."""
    if text[start] == "\n":
        return True
    after = text[end:].lstrip()
    if not after:
        return False  # whether it goes on is not known yet
    if text[start] in _STOPS:
        return not after[0].islower() and not _is_abbreviated(text[:start], after)
    return not (text[start] == "．" and after[0].isdigit())


def _is_abbreviated(before: str, after: str) -> bool:
    """Whether a full stop after these words belongs to the last of them: "Dr", "J", "e.g", and the number of a list."""
    found = _LAST_WORD.search(before)
    word = found.group() if found else ""
    if word.isdigit():
        return not before[: len(before) - len(word)].rpartition("\n")[2].strip()
    known = word.casefold() in _ABBREVIATIONS or (after[0].isdigit() and word.casefold() in _NUMBERED)
    return known or (len(word) == 1 and word.isalpha()) or "." in word.strip(".")
