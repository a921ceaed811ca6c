"""Make the replica speak, stop it, and say again: rows for the outbox. Nothing here talks to Daily.

One file a concern, each of whose public names is to be had from here.
"""

from conversations.services.speaking.approving import approve, reject
from conversations.services.speaking.audio import PACINGS, append_audio, check_pacing, open_audio, speak_audio
from conversations.services.speaking.changing import change, edit, move
from conversations.services.speaking.floor import do_with_floor, hand_over, release, take
from conversations.services.speaking.interrupting import (
    Interrupted,
    cancel,
    check_message,
    interrupt,
    send_interaction,
)
from conversations.services.speaking.queueing import WAITING, item
from conversations.services.speaking.saying import SAYABLE_AGAIN, say_again, say_of, speak_text
from conversations.services.speaking.together import Saying, speak_all
from conversations.services.speaking.utterances import Utterance, open_text, say_next

__all__ = [
    "PACINGS",
    "SAYABLE_AGAIN",
    "WAITING",
    "Interrupted",
    "Saying",
    "Utterance",
    "append_audio",
    "approve",
    "cancel",
    "change",
    "check_message",
    "check_pacing",
    "do_with_floor",
    "edit",
    "hand_over",
    "interrupt",
    "item",
    "move",
    "open_audio",
    "open_text",
    "reject",
    "release",
    "say_again",
    "say_next",
    "say_of",
    "send_interaction",
    "speak_all",
    "speak_audio",
    "speak_text",
    "take",
]
