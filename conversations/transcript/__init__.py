"""What was said in a conversation, as a conversation, and the log as another view of the same thing."""

from conversations.transcript.behind import behind
from conversations.transcript.pages import SHOWS, transcript_page

__all__ = ["SHOWS", "behind", "transcript_page"]
