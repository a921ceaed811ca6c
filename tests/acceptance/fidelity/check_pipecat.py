"""pipecat's ``TavusTransport`` in a twin room: nothing changed but base URL, proxy and CA. Runs in the fidelity venv.

It speaks one utterance of two seconds, interrupts another one, leaves, and ends its conversation.
"""

import asyncio
import json
import math
import os
import struct
import sys
import time
import urllib.request

URL, DAILY_URL, CA_FILE = sys.argv[1:4]
# Assigned, not setdefault: many machines export one of their own, which would win.
os.environ["SSL_CERT_FILE"] = CA_FILE

import aiohttp  # noqa: E402
from pipecat.frames.frames import EndFrame, InterruptionFrame, TTSAudioRawFrame, TTSStartedFrame, TTSStoppedFrame  # noqa: E402
from pipecat.pipeline.pipeline import Pipeline  # noqa: E402
from pipecat.pipeline.worker import PipelineParams, PipelineWorker  # noqa: E402
from pipecat.transports.daily import transport as daily_transport  # noqa: E402
from pipecat.transports.tavus.transport import TavusApi, TavusParams, TavusTransport  # noqa: E402
from pipecat.workers.runner import WorkerRunner  # noqa: E402

REAL_CLIENT = daily_transport.CallClient
RATE = 24_000


def client_through_proxy(**options):
    client = REAL_CLIENT(**options)
    client.set_proxy_url(DAILY_URL)
    return client


daily_transport.CallClient = client_through_proxy
TavusApi.BASE_URL = f"{URL}/v2"


def read(path):
    request = urllib.request.Request(URL + path, headers={"x-api-key": "fidelity"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def passed(what):
    print(f"ok  pipecat  {what}", flush=True)


def tone(seconds):
    samples = (int(9000 * math.sin(2 * math.pi * 440 * n / RATE)) for n in range(int(RATE * seconds)))
    return b"".join(struct.pack("<h", sample) for sample in samples)


def frames(seconds):
    audio = tone(seconds)
    size = RATE // 50 * 2
    yield TTSStartedFrame()
    for start in range(0, len(audio), size):
        yield TTSAudioRawFrame(audio=audio[start : start + size], sample_rate=RATE, num_channels=1)


async def until(what, look, limit=20.0):
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if found := await asyncio.to_thread(look):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"waited {limit} s in vain for: {what}")


def events(conversation_id, kind):
    rows = read(f"/twin/rooms/{conversation_id}/messages?audio=omit")
    return [row["message"] for row in rows if row["message"].get("event_type") == kind]


async def main():
    async with aiohttp.ClientSession() as session:
        params = TavusParams(audio_in_enabled=True, audio_out_enabled=True, audio_out_sample_rate=RATE)
        transport = TavusTransport("Pipecat bot", session, "fidelity", "r90bbd427f71", params=params)
        connected = asyncio.Event()

        @transport.event_handler("on_connected")
        async def on_connected(transport, data):
            connected.set()

        queue_frames, running = start(Pipeline([transport.input(), transport.output()]))
        await asyncio.wait_for(connected.wait(), 30)
        passed("joins the room of the conversation it made")
        conversation_id = transport._client.conversation_id
        await until("the replica is known by its persona's name", lambda: transport._tavus_participant_id)
        passed("knows the replica by its persona's name")

        await queue_frames([*frames(2.0), TTSStoppedFrame()])
        stopped = await until(
            "the replica spoke", lambda: events(conversation_id, "conversation.replica.stopped_speaking")
        )
        assert not stopped[0]["properties"]["interrupted"], stopped
        assert abs(stopped[0]["properties"]["duration"] - 2.04) < 0.15, stopped
        passed(f"speaks two seconds of audio ({stopped[0]['properties']['duration']} s heard)")

        await queue_frames([*frames(8.0)])
        await until(
            "the replica speaks", lambda: len(events(conversation_id, "conversation.replica.started_speaking")) == 2
        )
        await queue_frames([InterruptionFrame()])
        stopped = await until(
            "it is interrupted", lambda: events(conversation_id, "conversation.replica.stopped_speaking")[1:]
        )
        assert stopped[0]["properties"]["interrupted"], stopped
        passed("interrupts the replica")

        await queue_frames([EndFrame()])
        await asyncio.wait_for(running, 30)
        row = read(f"/v2/conversations/{conversation_id}?verbose=true")
        assert row["status"] == "ended", row
        passed(f"ends its conversation ({row['shutdown_reason']})")


def start(pipeline):
    """Run the pipeline; return what queues frames into it, and the task to wait for."""
    worker = PipelineWorker(pipeline, params=PipelineParams(audio_out_sample_rate=RATE), idle_timeout_secs=None)

    async def run():
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        await runner.run()

    return worker.queue_frames, asyncio.create_task(run())


asyncio.run(main())
# The SDK's own threads outlive a loop; nothing is left to wait for.
sys.stdout.flush()
os._exit(0)
