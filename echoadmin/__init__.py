"""echoadmin: an admin console for Tavus replicas in echo mode, with the complete record of what they said."""

__version__ = "0.1.0"
