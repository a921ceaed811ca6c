"""The WebSocket API: a conversation or the whole log as it grows, and a way to speak with one connection.

Out: {"type": "entry", "entry"}, {"type": "caught_up", "n" or "cursor"}, {"type": "echo", "echo"}, {"type": "room", …}
with how the conversation stands whenever that changed, {"type": "missed", "after", "until", "count"} where more than
`?at_most=` entries came since `?after=`, and "ack" or "error" for each message that came in.
{"type": "ping"} is answered by {"type": "pong"}, whoever sends it. In, to a conversation, each with a `ref` of the
client's choice: {"type": "echo", "text" | "audio" and "sample_rate", "inference_id"}, {"type": "interrupt"},
{"type": "audio", "sample_rate", "inference_id"}, then binary frames of PCM16LE, then {"type": "audio_end"}.
"""

from django.urls import path

from conversations import bells, naming  # noqa: F401 - entries show Tavus's ids
from conversations.live.consumers import ConversationConsumer, LogConsumer
from echoadmin.log.writer import on_append

websocket_urlpatterns = [
    path("ws/v1/conversations/<str:any_id>/", ConversationConsumer.as_asgi()),
    path("ws/v1/log/", LogConsumer.as_asgi()),
]


def _ring(streams: set[str]) -> None:
    for stream in streams:
        bells.ring_tail(stream)


on_append(_ring)

__all__ = ["ConversationConsumer", "LogConsumer", "websocket_urlpatterns"]
