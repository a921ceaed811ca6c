"""The shared parts' models, where Django looks for them."""

from echoadmin.duties import Duty
from echoadmin.installation import Console, Installation

__all__ = ["Console", "Duty", "Installation"]
