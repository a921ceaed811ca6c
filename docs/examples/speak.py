"""Say audio and a text over the console's WebSocket while they are made, and print what becomes of each echo.

ECHOADMIN_KEY=… python speak.py ws://127.0.0.1:8000 CONVERSATION_ID < audio.raw     # PCM16LE, mono, 24 kHz
"""

import asyncio
import json
import os
import sys

from websockets.asyncio.client import connect

RATE, FRAME = 24_000, 960  # Hz, and the bytes of 20 ms
WORDS = "Hello, I am your guide today. This comes a few letters at a time, as Dr. Smith's model writes it. That is all."


async def listen(socket, go_on, answers, states):
    async for message in socket:
        match told := json.loads(message):
            case {"type": "flow", "state": state}:
                print("flow", state)
                go_on.set() if state == "resume" else go_on.clear()
            case {"type": "echo", "echo": {"inference_id": one, "state": state, "times": {"ended": ended}}}:
                print(one, state)
                states[one] = ended and state
            case {"type": "ack", "ref": ref}:
                answers[ref].set_result(told)
            case {"type": "error", "error": {"code": code, "message": words}}:
                sys.exit(f"{code}: {words}")


async def speak(socket, go_on, answers, states):
    async def ask(**message):
        answers[ref := len(answers)] = asyncio.get_running_loop().create_future()
        await socket.send(json.dumps({**message, "ref": ref}))
        return await answers[ref]

    go_on.set()
    said = [(await ask(type="audio", sample_rate=RATE))["echo"]["inference_id"]]
    while await go_on.wait() and (samples := await asyncio.to_thread(sys.stdin.buffer.read, FRAME)):
        await socket.send(samples)
    await ask(type="audio_end")
    await ask(type="text")
    for start in range(0, len(WORDS), 4):
        await socket.send(json.dumps({"type": "text_delta", "text": WORDS[start : start + 4]}))
    said += (await ask(type="text_end"))["echoes"]
    while not all(states.get(one) for one in said):  # each has come to an end
        await asyncio.sleep(0.05)
    sys.exit({states[one] for one in said} != {"spoken"})


async def main(url, conversation, shared):
    address = f"{url}/ws/v1/conversations/{conversation}/?entries=exclude"
    headers = {"Authorization": f"Bearer {os.environ['ECHOADMIN_KEY']}"}
    async with connect(address, additional_headers=headers) as socket:
        await asyncio.gather(listen(socket, *shared), speak(socket, *shared))


asyncio.run(main(*sys.argv[1:3], (asyncio.Event(), {}, {})))
