"""Tavus's own command line against the twin, as it is: its PAL, face and conversation commands.

Runs in the fidelity venv.
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

URL = sys.argv[1]
TAVUS = Path(sys.executable).with_name("tavus")
HOME = tempfile.mkdtemp(prefix="fidelity-cli-")
ENVIRONMENT = {
    **os.environ,
    "TAVUS_API_KEY": "fidelity",
    "TAVUS_PUBLIC_API_BASE_URL": f"{URL}/v2",
    "TAVUS_PORTAL_API_BASE_URL": URL,
    "HOME": HOME,
    "COLUMNS": "250",
    "NO_COLOR": "1",
    "TERM": "dumb",
    "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
}


def tavus(*arguments: str, fails: bool = False) -> str:
    run = subprocess.run(
        [TAVUS, *arguments], env=ENVIRONMENT, cwd=HOME, capture_output=True, text=True, timeout=120, check=False
    )
    assert (run.returncode != 0) is fails, f"tavus {' '.join(arguments)} → {run.returncode}\n{run.stdout}\n{run.stderr}"
    return run.stdout + (run.stderr if fails else "")


def tavus_json(*arguments: str) -> Any:
    return json.loads(tavus(*arguments))


def conversation(conversation_id: str) -> Any:
    """Read one over plain HTTP: the command line has no command for it."""
    request = urllib.request.Request(f"{URL}/v2/conversations/{conversation_id}", headers={"x-api-key": "fidelity"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def passed(what: str) -> None:
    print(f"ok  tavus-cli  {what}", flush=True)


def pals() -> str:
    made = tavus_json("pal", "create", "--name", "Echo", "--face-id", "re8e740a42", "--pipeline-mode", "echo")
    pal = made["pal_id"]
    assert made["pal_name"] == "Echo" and "tool_ids" in made, made
    passed("pal create, an echo pipeline")

    full = tavus_json("pal", "create", "--name", "Talker", "--face-id", "re8e740a42", "--system-prompt", "Be brief.")
    shown = tavus_json("pal", "get", full["pal_id"])
    assert shown["system_prompt"] == "Be brief." and shown["layers"]["llm"]["model"], shown
    passed("pal create, a full pipeline; pal get")

    said = tavus("pal", "create", "--name", "Faceless", "--pipeline-mode", "echo", fails=True)
    assert "failed with 400" in said, said
    passed("pal create without a face is refused")

    rows = tavus_json("pal", "list", "--pal-type", "user", "--json")
    assert {row["pal_id"] for row in rows["data"]} >= {pal, full["pal_id"]} and rows["total_count"] >= 2, rows
    assert pal in tavus("pal", "list") and "pipecat0" in tavus("pal", "list", "--pal-type", "system", "--limit", "100")
    passed("pal list, as a table and as JSON, own and stock")

    tavus("pal", "patch", pal, "--path", "/pal_name", "--value", "Renamed")
    tavus("pal", "patch", pal, "--path", "/pal_name", "--value", "Renamed")
    tavus("pal", "patch", pal, "--op", "add", "--path", "/layers/tts", "--value", '{"tts_engine": "cartesia"}')
    shown = tavus_json("pal", "get", pal, "--include-settings")
    assert shown["pal_name"] == "Renamed" and shown["layers"]["tts"]["tts_engine"] == "cartesia", shown
    passed("pal patch: replace, no change (304), add")

    assert pal in tavus("pal", "preview", pal)
    made = tavus_json("quickstart", "--system-prompt", "Be kind.")
    assert made["pal"]["pal_id"] and made["face_id"], made
    passed("pal preview; quickstart with a stock face")

    tavus("pal", "delete", full["pal_id"])
    assert "failed with 400" in tavus("pal", "get", full["pal_id"], fails=True)
    passed("pal delete")
    return str(pal)


def faces() -> None:
    assert "r4067604db72" in tavus("face", "list", "--stock")
    rows = tavus_json("face", "list", "--json")["data"]
    assert {"re8e740a42", "r4067604db72"} <= {row["face_id"] for row in rows}, rows
    assert all(row["status"] == "completed" for row in rows)
    passed("face list, all and stock")


def conversations(pal: str) -> None:
    made = tavus_json("conversation", "create", "--pal-id", pal, "--face-id", "re8e740a42", "--name", "By its CLI")
    assert made["status"] == "active" and made["conversation_name"] == "By its CLI", made
    row = conversation(made["conversation_id"])
    assert row["persona_id"] == pal and row["replica_id"] == "re8e740a42", row
    passed("conversation create")

    tavus("conversation", "end", made["conversation_id"])
    row = conversation(made["conversation_id"])
    assert row["status"] == "ended", row
    tavus("conversation", "end", "c-nothing", fails=True)
    passed("conversation end")

    chat = tavus_json("chat", "start", "--pal-id", pal)
    tavus("chat", "end", chat["conversation_id"])
    passed("chat start and end")


tavus("doctor")
passed("doctor")
faces()
conversations(pals())
