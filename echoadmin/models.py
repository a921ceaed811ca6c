"""The shared parts' models, where Django looks for them."""

from echoadmin.duties import Duty
from echoadmin.installation import Console, Installation
from echoadmin.runs import Run, RunPart

__all__ = ["Console", "Duty", "Installation", "Run", "RunPart"]
