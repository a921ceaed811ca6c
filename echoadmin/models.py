"""The shared parts' models, where Django looks for them."""

from echoadmin.duties import Duty
from echoadmin.installation import Console, Installation, OldWebhookSecret
from echoadmin.runs import Run, RunPart

__all__ = ["Console", "Duty", "Installation", "OldWebhookSecret", "Run", "RunPart"]
