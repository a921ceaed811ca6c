"""Scripts: ordered lines and clips, with pauses and variables, said one after the other by one click."""

from conversations.scripts.lines import Line, check_lines, fill, seconds_of, variables_in

__all__ = ["Line", "check_lines", "fill", "seconds_of", "variables_in"]
