"""Audio that is made in real time (20 ms at a time, 24 kHz) into a twin room, by three ways:

the quickstart's Flask app (a POST for each 20 ms), pipecat's Tavus transport (as it ships, and set for sources in real
time; installed into `<data>/pipecat-venv`, kept for the next time), and this console's WebSocket.

Of some short streams, in turn: from the first byte in until the first chunk is in the room. Of one of 60 s: the CPU of
what carried it (not of the sender, but for pipecat, whose pipeline the sender is part of) and the frames that did not
arrive. `--json` for programs, `--smoke` for a few seconds without pipecat.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.send_path import flask_app, wait_for
from tests.console_process import free_ports, running_console
from tests.twin_process import TwinProcess, running_twin

RATE, FRAME = 24_000, 960  # Hz, and bytes of 20 ms
SHORT = 0.6  # s of the streams whose first chunk is timed
QUIET = 0.5  # s between two streams, after the replica has stopped
ROOT = Path(__file__).resolve().parents[2]
PINS = ROOT / "tests/acceptance/fidelity/requirements.txt"


@dataclass
class Subject:
    """One way into a room: `stream(seconds, seed)` sends so much in real time, and returns when the first byte left."""

    twin: TwinProcess
    conversation_id: str
    process: psutil.Process
    stream: Callable[[float, int], float]
    seen: int = 0  # number of the last of the room's messages that was looked at

    def cpu(self) -> float:
        """Seconds of CPU used, children included."""
        return sum(sum(part.cpu_times()[:2]) for part in [self.process, *self.process.children(recursive=True)])

    def say(self, seconds: float, seed: int) -> tuple[float, list[dict[str, Any]]]:
        """When the first byte left, and the room's messages until the replica stopped."""
        started = self.stream(seconds, seed)
        carried: list[dict[str, Any]] = []
        deadline = time.time() + seconds + 30
        while not any(row["message"].get("event_type", "").endswith("replica.stopped_speaking") for row in carried):
            if time.time() > deadline:
                raise RuntimeError("the replica did not stop")
            time.sleep(0.1)
            rows = self.twin.get(f"/twin/rooms/{self.conversation_id}/messages?after={self.seen}")
            carried += rows
            self.seen = rows[-1]["n"] if rows else self.seen
        time.sleep(QUIET)
        return started, [row for row in carried if row["message"].get("event_type") == "conversation.echo"]


def measure(subjects: dict[str, Subject], starts: int, seconds: float) -> dict[str, dict[str, float]]:
    """ms from the first byte in to the first chunk, in turn, so that all meet the same machine; then a long stream of
    each: CPU, messages and losses."""
    firsts: dict[str, list[float]] = {name: [] for name in subjects}
    for seed in range(starts + 2):
        for name, subject in subjects.items():
            started, chunks = subject.say(SHORT, seed)
            firsts[name].append((chunks[0]["at"] - started) * 1000)
    return {name: _figures(subject, firsts[name][2:], seconds) for name, subject in subjects.items()}


def _figures(subject: Subject, firsts: list[float], seconds: float) -> dict[str, float]:
    cpu = subject.cpu()
    _, chunks = subject.say(seconds, 1000)
    return {
        "first_chunk_p50_ms": statistics.median(firsts),
        "first_chunk_max_ms": max(firsts),
        "cpu_s": subject.cpu() - cpu,
        "messages": len(chunks),
        "frames_lost": lost(pcm_of(seconds, 1000), chunks),
    }


def pcm_of(seconds: float, seed: int) -> bytes:
    """Noise, no two frames of which are alike."""
    return random.Random(seed).randbytes(round(seconds * 50) * FRAME)


def lost(pcm: bytes, chunks: list[dict[str, Any]]) -> int:
    """Frames of 20 ms that the room did not get, or not in their order."""
    carried = b"".join(base64.b64decode(chunk["message"]["properties"]["audio"]) for chunk in chunks)
    missing, place = 0, 0
    for at in range(0, len(pcm), FRAME):
        found = carried.find(pcm[at : at + FRAME], place)
        missing, place = (missing + 1, place) if found < 0 else (missing, found + FRAME)
    return missing


def in_real_time(pcm: bytes, send: Callable[[bytes, bool], None]) -> float:
    """`send` each frame of 20 ms by the clock, and whether it is the last; when the first one left (epoch seconds)."""
    started = time.time()
    for number, at in enumerate(range(0, len(pcm), FRAME)):
        time.sleep(max(0.0, started + number * 0.02 - time.time()))
        send(pcm[at : at + FRAME], at + FRAME >= len(pcm))
    return started


# --- the three ways ---


@contextmanager
def flask(twin: TwinProcess) -> Iterator[Subject]:
    """The quickstart, as it is printed."""
    persona = twin.post("/v2/personas", {"persona_name": "Flask", "pipeline_mode": "echo"})
    body = {"replica_id": "re8e740a42", "persona_id": persona["persona_id"]}
    room = twin.post("/v2/conversations", {**body, "properties": {"participant_left_timeout": 600}})
    (port,), conversation_id = free_ports(1), room["conversation_id"]
    url = f"http://127.0.0.1:{port}/send_audio_message"
    with flask_app(twin, room, port) as pid, httpx.Client(timeout=30) as http:
        wait_for(lambda: twin.room(conversation_id)["replica_present"])

        def stream(seconds: float, seed: int) -> float:
            common = {"conversation_id": conversation_id, "modality": "audio", "sample_rate": RATE}

            def post(samples: bytes, done: bool) -> None:
                piece = {"audio": base64.b64encode(samples).decode(), "inference_id": f"s{seed}", "done": done}
                http.post(url, json=common | piece).raise_for_status()

            return in_real_time(pcm_of(seconds, seed), post)

        yield Subject(twin, conversation_id, psutil.Process(pid), stream)


@contextmanager
def pipecat(twin: TwinProcess, python: Path, *, realtime: bool) -> Iterator[Subject]:
    """Its transport in a process of its own, which also makes the audio."""
    arguments = [str(python), str(Path(__file__).with_name("pipecat_app.py")), twin.url, twin.daily_url, twin.ca_file]
    with subprocess.Popen(
        [*arguments, str(int(realtime))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as app:
        assert app.stdin is not None
        assert app.stdout is not None
        told, asked = app.stdout, app.stdin
        conversation_id = json.loads(told.readline())["conversation_id"]
        wait_for(lambda: twin.room(conversation_id)["replica_present"])

        def stream(seconds: float, seed: int) -> float:
            asked.write(json.dumps({"seconds": seconds, "seed": seed}) + "\n")
            asked.flush()
            return float(json.loads(told.readline())["started"])

        try:
            yield Subject(twin, conversation_id, psutil.Process(app.pid), stream)
        finally:
            asked.close()
            with suppress(subprocess.TimeoutExpired):
                app.wait(30)
            app.kill()


@contextmanager
def console(twin: TwinProcess, data: Path) -> Iterator[Subject]:
    """This console's WebSocket, with an API key."""
    with running_console(data, twin=twin) as running:
        headers = {"Authorization": f"Bearer {running.api_key()}"}
        with httpx.Client(base_url=f"{running.url}/api/v1", headers=headers, timeout=60) as http:
            persona = http.post("/personas/", json={"persona_name": "Console", "pipeline_mode": "echo"}).json()
            body = {"replica_id": "re8e740a42", "persona_id": persona["id"], "join": True}
            made = http.post("/conversations/", json=body).raise_for_status().json()
            path = f"/conversations/{made['id']}/"
            wait_for(lambda: http.get(path).json()["room"]["replica_present"])
        address = f"{running.url.replace('http', 'ws', 1)}/ws/v1{path}?entries=exclude"
        with connect(address, additional_headers=headers, compression=None) as socket:
            ended = _ends_of(socket)
            process = psutil.Process(running.pid)
            yield Subject(twin, made["conversation_id"], process, lambda *given: _over(socket, ended, *given))


def _ends_of(socket: ClientConnection) -> dict[str, str]:
    """The final states of echoes by their ids, as they come."""
    ended: dict[str, str] = {}

    def read() -> None:
        with suppress(ConnectionClosed):
            for message in socket:
                told = json.loads(message)
                if told["type"] == "echo" and told["echo"]["times"]["ended"]:
                    ended[told["echo"]["inference_id"]] = told["echo"]["state"]

    threading.Thread(target=read, daemon=True).start()
    return ended


def _over(socket: ClientConnection, ended: dict[str, str], seconds: float, seed: int) -> float:
    pcm, inference_id = pcm_of(seconds, seed), f"s{seed}"

    def send(samples: bytes, done: bool) -> None:
        socket.send(samples)
        if done:
            socket.send('{"type": "audio_end"}')

    started = time.time()
    socket.send(json.dumps({"type": "audio", "sample_rate": RATE, "inference_id": inference_id}))
    in_real_time(pcm, send)
    wait_for(lambda: inference_id in ended, seconds + 30)
    if ended[inference_id] != "spoken":
        raise RuntimeError(f"the stream was {ended[inference_id]}")
    return started


def pipecats_python(folder: Path) -> Path:
    """The Python of a venv with the pinned pipecat alone; made, or made anew when the pin has changed."""
    python, stamp = folder / "bin" / "python", folder / "pins"
    pin = next(line for line in PINS.read_text().splitlines() if line.startswith("pipecat-ai"))
    wanted = hashlib.sha256(pin.encode()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == wanted):
        print(f"Installing {pin} into {folder} (once)…", file=sys.stderr, flush=True)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", pin], check=True, stderr=subprocess.DEVNULL)
        stamp.write_text(wanted)
    return python


def main() -> None:
    """Run all and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="only that it runs: 2 s, without pipecat, exit with 0")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the long stream")
    parser.add_argument("--starts", type=int, default=20, help="short streams whose first chunk is timed")
    parser.add_argument("--venv", type=Path, default=Path(os.environ.get("ECHOADMIN_DATA") or ROOT / "var"))
    options = parser.parse_args()
    if options.smoke:
        options.seconds, options.starts = 2.0, 2
    figures = run(options.starts, options.seconds, None if options.smoke else options.venv / "pipecat-venv")
    print(json.dumps(figures, indent=2) if options.json else as_table(figures))
    sys.exit(0 if figures["passed"] or options.smoke else 1)


def run(starts: int, seconds: float, folder: Path | None) -> dict[str, Any]:
    """Measure all in one run."""
    figures: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "seconds": seconds,
    }
    python = None if folder is None else pipecats_python(folder)
    with (
        tempfile.TemporaryDirectory() as data,
        running_twin(Path(data) / "twin", speed=1.0) as twin,
        ExitStack() as running,
    ):
        subjects = {"flask": running.enter_context(flask(twin))}
        if python is not None:
            for name, realtime in (("pipecat", False), ("pipecat_realtime", True)):
                subjects[name] = running.enter_context(pipecat(twin, python, realtime=realtime))
        subjects["console"] = running.enter_context(console(twin, Path(data) / "console"))
        figures |= measure(subjects, starts, seconds)
    own = figures["console"]
    theirs = [figures[name]["first_chunk_p50_ms"] for name in ("pipecat", "pipecat_realtime") if name in figures]
    figures["passed"] = own["frames_lost"] == 0 and own["first_chunk_p50_ms"] <= min(theirs, default=float("inf"))
    return figures


def as_table(figures: dict[str, Any]) -> str:
    """The same for people."""
    names = [name for name in ("flask", "pipecat", "pipecat_realtime", "console") if name in figures]
    rows = [f"machine: {figures['machine']}", f"{'':22}" + "".join(f"{name:>18}" for name in names)]
    rows += [f"{what:22}" + "".join(f"{figures[name][what]:18.2f}" for name in names) for what in figures["console"]]
    return "\n".join([*rows, f"passed: {figures['passed']}"])


if __name__ == "__main__":
    main()
