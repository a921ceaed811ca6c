"""Why something given by a person or a program cannot be said: which field, what is wrong, and the way out."""

from __future__ import annotations


class Refusal(ValueError):
    """Refused input: `field` names it, `message` says what is wrong and what to do, `status` is the HTTP answer."""

    code = "invalid"
    status = 400

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class Empty(Refusal):
    """Nothing to say: an empty text, a zero-byte file, no samples."""

    code = "empty"


class TooLarge(Refusal):
    """More than one echo, message or request may carry."""

    code = "too_large"
    status = 413


class TooLong(TooLarge):
    """Audio that lasts longer than an echo may."""

    code = "too_long"


class Unspeakable(Refusal):
    """Characters, numbers or nesting that Daily's SDK cannot carry."""

    code = "unspeakable"


class BrokenAudio(Refusal):
    """Audio that cannot be decoded, or that ends before its own header says so."""

    code = "broken_audio"


class NotAudio(BrokenAudio):
    """A file of another kind: a video, a document, raw samples without a header."""

    code = "not_audio"


class BadSampleRate(Refusal):
    """A sample rate that the replica cannot be sent."""

    code = "bad_sample_rate"


class NotNow(Refusal):
    """Good input at a time when it can't be done: HTTP 409."""

    code = "not_now"
    status = 409


class NotJoined(NotNow):
    """The room is not wanted: nobody would hear it."""

    code = "not_joined"


class ConversationOver(NotNow):
    """The conversation has ended, or never began."""

    code = "conversation_over"


class IdTaken(NotNow):
    """The inference id belongs to an echo with another body."""

    code = "inference_id_taken"


class ChangedMeanwhile(NotNow):
    """Somebody, or the room's worker, was faster: what was to be changed is not as it was seen."""

    code = "changed_meanwhile"


class FloorTaken(NotNow):
    """Another one alone may speak now."""

    code = "floor_taken"


class NotTheSecond(NotNow):
    """Who said a line can't be the one who lets it be said."""

    code = "not_a_second_person"


class EchoClosed(NotNow):
    """Audio for an echo that was closed before."""

    code = "echo_closed"


class QueueFull(Refusal):
    """As many echoes wait in this conversation as may."""

    code = "queue_full"
    status = 429
