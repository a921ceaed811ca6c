"""pipecat's Tavus transport as a program of its own, for the benchmark. It runs with pipecat's Python.

`python pipecat_app.py TWIN_URL DAILY_URL CA_FILE REALTIME` creates a conversation, joins it and prints its id; then for
each line {"seconds", "seed"} it streams so much audio in real time, and prints {"started"} (epoch seconds).
REALTIME 0 is the transport as it ships (100 ms a message), 1 its setting for sources that make audio in real time.
"""

import asyncio
import json
import os
import random
import sys
import time

URL, DAILY_URL, CA_FILE, REALTIME = sys.argv[1:5]
os.environ["SSL_CERT_FILE"] = CA_FILE

import aiohttp  # noqa: E402
from loguru import logger  # noqa: E402
from pipecat.frames.frames import EndFrame, TTSAudioRawFrame, TTSStartedFrame, TTSStoppedFrame  # noqa: E402
from pipecat.pipeline.pipeline import Pipeline  # noqa: E402
from pipecat.pipeline.worker import PipelineParams, PipelineWorker  # noqa: E402
from pipecat.transports.daily import transport as daily_transport  # noqa: E402
from pipecat.transports.tavus.transport import TavusApi, TavusParams, TavusTransport  # noqa: E402
from pipecat.workers.runner import WorkerRunner  # noqa: E402

RATE, FRAME = 24_000, 960  # Hz, and bytes of 20 ms
REAL_CLIENT = daily_transport.CallClient


def client_through_proxy(**options):
    client = REAL_CLIENT(**options)
    client.set_proxy_url(DAILY_URL)
    return client


daily_transport.CallClient = client_through_proxy
TavusApi.BASE_URL = f"{URL}/v2"
logger.remove()


async def stream(queue_frames, seconds, seed):
    """Each 20 ms a frame, by the clock; returns when the first one was given."""
    pcm = random.Random(seed).randbytes(round(seconds * 50) * FRAME)
    await queue_frames([TTSStartedFrame()])
    started = time.time()
    for number, at in enumerate(range(0, len(pcm), FRAME)):
        await asyncio.sleep(max(0.0, started + number * 0.02 - time.time()))
        await queue_frames([TTSAudioRawFrame(audio=pcm[at : at + FRAME], sample_rate=RATE, num_channels=1)])
    await queue_frames([TTSStoppedFrame()])
    return started


async def main():
    async with aiohttp.ClientSession() as session:
        params = TavusParams(
            audio_out_enabled=True, audio_out_sample_rate=RATE, audio_out_faster_than_realtime=REALTIME == "0"
        )
        transport = TavusTransport("Pipecat bot", session, "benchmark", "r90bbd427f71", params=params)
        connected = asyncio.Event()

        @transport.event_handler("on_connected")
        async def on_connected(transport, data):
            connected.set()

        pipeline = Pipeline([transport.input(), transport.output()])
        worker = PipelineWorker(pipeline, params=PipelineParams(audio_out_sample_rate=RATE), idle_timeout_secs=None)

        async def run():
            runner = WorkerRunner(handle_sigint=False)
            await runner.add_workers(worker)
            await runner.run()

        running = asyncio.create_task(run())
        await asyncio.wait_for(connected.wait(), 30)
        print(json.dumps({"conversation_id": transport._client.conversation_id}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            started = await stream(worker.queue_frames, **json.loads(line))
            print(json.dumps({"started": started}), flush=True)
        await worker.queue_frames([EndFrame()])
        await asyncio.wait_for(running, 30)


asyncio.run(main())
sys.stdout.flush()
os._exit(0)
