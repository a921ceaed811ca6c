"""Search: words that were said and values in messages, behind one interface for both databases.

The index follows the log (echoadmin.log.index): what was written in the last seconds is not in it yet.
"""

from echoadmin.log.search.following import SEARCH, indexed_up_to
from echoadmin.log.search.query import LONGEST_QUERY, Query, QueryError, marked, parse
from echoadmin.log.search.searching import Search, best_search

__all__ = [
    "LONGEST_QUERY",
    "SEARCH",
    "Query",
    "QueryError",
    "Search",
    "best_search",
    "indexed_up_to",
    "marked",
    "parse",
]
