"""Three hundred texts and a minute of audio in one conversation, as fast as the queue takes them."""

from __future__ import annotations

import io
import time
import wave
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests import witnesses
from tests.acceptance.calling import Call
from tests.console_process import running_console

pytestmark = [pytest.mark.own_database, pytest.mark.timeout(300)]

TEXTS = 300


def a_minute() -> tuple[bytes, bytes]:
    """A WAV file of 60 s at 24 kHz, and its samples."""
    pcm = (np.arange(60 * 24_000, dtype=np.int64) * 7919 % 65_521 - 32_760).astype("<i2").tobytes()
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(24_000)
        wav.writeframes(pcm)
    return file.getvalue(), pcm


def test_every_echo_is_spoken_in_order_and_both_witnesses_agree(tmp_path: Path) -> None:
    with running_console(tmp_path, TWIN_SPEED="50") as console:
        call = Call(console, console.api_key())
        call.open()
        texts = [f"This is line {number} of many." for number in range(TEXTS)]
        ids = [call.say(text) for text in texts]
        wav, pcm = a_minute()
        audio = upload(call, wav)
        echo = call.until_state(audio, "spoken", limit=100)
        assert echo["chunks"] == echo["chunks_sent"] == len(call.sent()) - TEXTS
        echoes = call.echoes()
        assert [echoes[inference_id]["state"] for inference_id in ids] == ["spoken"] * TEXTS
        sent = call.sent()
        assert [message["properties"]["text"] for message in sent[:TEXTS]] == texts
        assert witnesses.samples(sent[TEXTS:], audio) == pcm, "bit for bit"
        call.agree()


def upload(call: Call, wav: bytes) -> str:
    """Queue a file to be sent in one burst, when the queue has a place for it; its inference id."""
    url = f"{call.console.url}/api/v1/conversations/{call.id}/echoes/"
    headers = {"Authorization": f"Bearer {call.key}"}
    form: dict[str, Any] = {"data": {"pacing": "burst"}, "files": {"file": ("minute.wav", wav)}}
    while (answer := httpx.post(url, headers=headers, timeout=60, **form)).status_code == 429:
        time.sleep(float(answer.headers.get("Retry-After", 0.1)))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["inference_id"])
