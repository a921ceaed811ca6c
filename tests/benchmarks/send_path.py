"""From a request to the room: the quickstart's Flask app and this console, side by side, each with the real SDK.

One text echo at a time (request sent → arrived in the twin's room), and 60 s of 24 kHz audio as fast as it goes (1,200
POSTs there, one with `pacing: burst` here; to the last arrival; wall time and the server's CPU; medians). `--json` for
programs. The index for search follows some seconds behind, so it is in the CPU of few minutes: `worst` has it.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.console_process import free_ports, running_console
from tests.twin_process import TwinProcess, running_twin

RATE, CHUNK = 24_000, 2_400
SETTLED = 3.0  # s before each minute of audio: what the one before left to do is over (the replica speaks for 1.2 s)
HERE = Path(__file__).resolve().parent


class Subject:
    """One of the two: how it is asked to say a text, or a minute of audio, and whose CPU counts."""

    def __init__(self, twin: TwinProcess, conversation_id: str, pid: int) -> None:
        self.twin, self.conversation_id, self.process = twin, conversation_id, psutil.Process(pid)
        self.seen = 0  # number of the last of the room's messages that was looked at

    def cpu(self) -> float:
        """Seconds of CPU that the server has used, its children included."""
        return sum(sum(part.cpu_times()[:2]) for part in [self.process, *self.process.children(recursive=True)])

    def arrival(self, matches: Callable[[dict[str, Any]], bool]) -> float:
        """When the twin's room got the message (epoch seconds); waits for it."""
        deadline = time.time() + 60
        while time.time() < deadline:
            # Rarely, and only what is new: looking must not take the processor from those who are looked at.
            time.sleep(0.1)
            path = f"/twin/rooms/{self.conversation_id}/messages?audio=omit&after={self.seen}"
            for item in self.twin.get(path):
                self.seen = item["n"]
                if matches(item["message"]):
                    return float(item["at"])
        raise RuntimeError("the message did not arrive within 60 s")


def measure(
    subject: Subject, say_text: Callable[[str], float], say_audio: Callable[[bytes], None], texts: int, minutes: int
) -> dict[str, float]:
    """p50 and p95 of single texts in ms; wall and CPU seconds of a minute of audio, the median of some."""
    times = []
    for number in range(texts + 5):
        words = f"Line number {number}."
        started = say_text(words)
        arrived = subject.arrival(lambda message, words=words: message.get("properties", {}).get("text") == words)
        times.append((arrived - started) * 1000)
    times = sorted(times[5:])  # the first ones warm up
    walls, cpus = zip(*[_one_minute(subject, say_audio) for _ in range(minutes)], strict=True)
    return {
        "text_p50_ms": statistics.median(times),
        "text_p95_ms": times[int(len(times) * 0.95)],
        "audio_wall_s": statistics.median(walls),
        "audio_cpu_s": statistics.median(cpus),
        "audio_cpu_worst_s": max(cpus),
    }


def _one_minute(subject: Subject, say_audio: Callable[[bytes], None]) -> tuple[float, float]:
    pcm = os.urandom(RATE * 2 * 60)
    time.sleep(SETTLED)
    cpu, started = subject.cpu(), time.time()
    say_audio(pcm)
    done = subject.arrival(
        lambda message: message.get("properties", {}).get("done") is True and "audio" in str(message)
    )
    return done - started, subject.cpu() - cpu


@contextmanager
def flask_app(twin: TwinProcess, room: dict[str, str], port: int) -> Iterator[int]:
    """The quickstart's server in the room; yields its pid."""
    arguments = [sys.executable, str(HERE / "quickstart_app.py"), room["conversation_url"], str(port), twin.daily_url]
    environment = {**os.environ, "SSL_CERT_FILE": twin.ca_file}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(arguments, env=environment, **silent) as process:  # type: ignore[call-overload]
        try:
            wait_for(lambda: any(not p["is_replica"] for p in twin.room(room["conversation_id"])["participants"]))
            wait_for(lambda: answers(f"http://127.0.0.1:{port}/"))
            yield process.pid
        finally:
            process.terminate()


def measure_flask(twin: TwinProcess, texts: int, minutes: int) -> dict[str, float]:
    """The quickstart, as it is printed."""
    persona = twin.post("/v2/personas", {"persona_name": "Flask", "pipeline_mode": "echo"})
    body = {"replica_id": "re8e740a42", "persona_id": persona["persona_id"]}
    room = twin.post("/v2/conversations", {**body, "properties": {"participant_left_timeout": 600}})
    (port,), conversation_id = free_ports(1), room["conversation_id"]
    with flask_app(twin, room, port) as pid, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:

        def post(**fields: Any) -> float:
            started = time.time()
            http.post("/send_audio_message", json={"conversation_id": conversation_id, **fields}).raise_for_status()
            return started

        def say_audio(pcm: bytes) -> None:
            for at in range(0, len(pcm), CHUNK):
                encoded = base64.b64encode(pcm[at : at + CHUNK]).decode()
                last = at + CHUNK >= len(pcm)
                post(modality="audio", audio=encoded, sample_rate=RATE, inference_id="minute", done=last)

        return measure(
            Subject(twin, conversation_id, pid),
            lambda words: post(modality="text", text=words, done=True),
            say_audio,
            texts,
            minutes,
        )


def measure_console(twin: TwinProcess, data: Path, texts: int, minutes: int) -> dict[str, float]:
    """This console over REST, with an API key."""
    with running_console(data, twin=twin) as console:
        headers = {"Authorization": f"Bearer {console.api_key()}"}
        with httpx.Client(base_url=f"{console.url}/api/v1", headers=headers, timeout=60) as http:
            persona = http.post("/personas/", json={"persona_name": "Console", "pipeline_mode": "echo"}).json()
            body = {"replica_id": "re8e740a42", "persona_id": persona["id"], "join": True}
            conversation = http.post("/conversations/", json=body).raise_for_status().json()
            echoes = f"/conversations/{conversation['id']}/echoes/"
            wait_for(lambda: http.get(f"/conversations/{conversation['id']}/").json()["room"]["replica_present"])

            def say_text(words: str) -> float:
                started = time.time()
                http.post(echoes, json={"text": words}).raise_for_status()
                return started

            def say_audio(pcm: bytes) -> None:
                encoded = base64.b64encode(pcm).decode()
                http.post(echoes, json={"audio": encoded, "sample_rate": RATE, "pacing": "burst"}).raise_for_status()

            subject = Subject(twin, conversation["conversation_id"], console.pid)
            return measure(subject, say_text, say_audio, texts, minutes)


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> None:
    """Until `condition` is true."""
    deadline = time.time() + seconds
    while not condition():
        if time.time() > deadline:
            raise RuntimeError("what was waited for did not happen")
        time.sleep(0.02)


def answers(url: str) -> bool:
    """Whether something listens there."""
    try:
        httpx.get(url)
    except httpx.TransportError:
        return False
    return True


def main() -> None:
    """Run both and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="only that it runs: whatever the figures, exit with 0")
    parser.add_argument("--texts", type=int, default=100, help="single texts to measure")
    parser.add_argument("--minutes", type=int, default=7, help="minutes of audio to measure, one by one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_twin(Path(folder) / "twin", speed=50) as twin:
        flask = measure_flask(twin, options.texts, options.minutes)
        console = measure_console(twin, Path(folder) / "console", options.texts, options.minutes)
    figures: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "flask": flask,
        "console": console,
        "text_p50_ratio": console["text_p50_ms"] / flask["text_p50_ms"],
        "audio_wall_times_better": flask["audio_wall_s"] / console["audio_wall_s"],
        "audio_cpu_times_better": flask["audio_cpu_s"] / console["audio_cpu_s"],
    }
    figures["passed"] = (
        console["text_p50_ms"] <= max(5 * flask["text_p50_ms"], 25)
        and figures["audio_wall_times_better"] >= 5
        and figures["audio_cpu_times_better"] >= 5
    )
    print(json.dumps(figures, indent=2) if options.json else as_table(figures))
    sys.exit(0 if figures["passed"] or options.smoke else 1)


def as_table(figures: dict[str, Any]) -> str:
    """The same for people."""
    flask, console = figures["flask"], figures["console"]
    ratios = ("text_p50_ratio", "audio_wall_times_better", "audio_cpu_times_better", "passed")
    rows = [
        f"machine: {figures['machine']}",
        f"{'':22}{'Flask':>12}{'console':>12}",
        *(f"{name:22}{flask[name]:12.2f}{console[name]:12.2f}" for name in flask),
        *(
            f"{name}: {figures[name] if isinstance(figures[name], bool) else round(figures[name], 2)}"
            for name in ratios
        ),
    ]
    return "\n".join(rows)


if __name__ == "__main__":
    main()
