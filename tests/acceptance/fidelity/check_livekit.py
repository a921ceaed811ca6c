"""LiveKit's ``TavusAPI`` against the twin: nothing changed but its base URL. Runs in the fidelity venv."""

import asyncio
import json
import sys
import urllib.request

import aiohttp
from livekit.agents import APIStatusError
from livekit.plugins.tavus.api import TavusAPI

URL = sys.argv[1]


def read(path: str) -> dict:
    request = urllib.request.Request(URL + path, headers={"x-api-key": "fidelity"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def passed(what: str) -> None:
    print(f"ok  livekit  {what}", flush=True)


async def main() -> None:
    async with aiohttp.ClientSession() as session:
        api = TavusAPI("fidelity", f"{URL}/v2", session=session)
        stock = await api.create_conversation(
            properties={"livekit_ws_url": "ws://127.0.0.1:1", "livekit_room_token": "x"}
        )
        row = read(f"/v2/conversations/{stock}")
        assert (row["pal_id"], row["face_id"]) == ("pb87e71797da", "r4067604db72"), row
        assert row["conversation_name"].startswith("lk_conversation_"), row
        passed("create_conversation with LiveKit's default PAL and face")

        pal = await api.create_pal("A PAL", default_face_id="r4067604db72")
        assert read(f"/v2/pals/{pal}")["pipeline_mode"] == "echo"
        assert read(f"/v2/conversations/{await api.create_conversation(pal_id=pal)}")["face_id"] == "r4067604db72"
        passed("create_pal, and a conversation that takes its face from it")

        persona = await api.create_persona("A persona")
        assert read(f"/v2/personas/{persona}")["layers"]["transport"] == {"transport_type": "livekit"}
        old = await api.create_conversation(persona_id=persona, replica_id="re8e740a42")
        assert read(f"/v2/conversations/{old}")["face_id"] == "re8e740a42"
        passed("create_persona and a conversation by the deprecated names")

        try:
            await TavusAPI("invalid-key", f"{URL}/v2", session=session).create_conversation()
        except APIStatusError as error:
            assert error.status_code == 401 and not error.retryable and "Invalid access token" in str(error.body), error
            passed("a bad key is a 401 that it does not repeat")
        else:
            raise AssertionError("a bad key was accepted")


asyncio.run(main())
