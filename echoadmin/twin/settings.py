"""What a twin is started with."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TwinSettings:
    """All that a twin needs to know at start. Times in seconds.

    ``speed`` makes the replica speak that many times faster; the vendor's clocks and heartbeats stay in real time.
    """

    data: Path
    port: int = 8790
    daily_port: int = 8791
    speed: float = 1.0
    host: str = "127.0.0.1"
    replica_arrives_after: float = 0.3
    heartbeat_every: float = 5.0
    dropped_socket_grace: float = 5.0
    restart_grace: float = 30.0
    training_seconds: float = 20.0

    @property
    def folder(self) -> Path:
        """Where the certificates and the lock lie."""
        return self.data / "twin"

    @property
    def database(self) -> Path:
        return self.data / "twin.sqlite3"

    @property
    def pid_file(self) -> Path:
        return self.data / "twin.pid"
