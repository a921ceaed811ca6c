"""Where a replica's picture is: on the console's own host; the page that serves it fetches it from the vendor."""

from __future__ import annotations

from django.urls import reverse

from personas.models import Replica


def picture(replica: Replica | None) -> str:
    """The address of the replica's thumbnail; "" when upstream has none for it."""
    if replica is None or not replica.thumbnail_url:
        return ""
    return reverse("admin:personas_replica_picture", args=[replica.public_id])


def initials(replica: Replica) -> str:
    """Two letters to stand for a picture that is not there."""
    words = [word for word in str(replica).replace("-", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "?"
