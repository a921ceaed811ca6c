"""Where the record of a conversation is known to be incomplete, and why: found in its entries, a few at a time."""

from conversations.gaps.keeping import catch_up, find_new, gaps_of

__all__ = ["catch_up", "find_new", "gaps_of"]
