"""echoadmin: make Tavus video replicas say exactly what they are told, and keep the record."""

__version__ = "0.1.0"
