"""The measure of the twin's fidelity: three shipping clients, as they are, against it.

``python tests/acceptance/fidelity/run.py`` makes a venv of its own (``<data>/fidelity-venv``, kept for the next time),
installs the pinned clients, starts a twin, and runs each check. Exit code 0 only if all of them pass.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT))

from tests.twin_process import TwinProcess, running_twin  # noqa: E402

CHECKS = ("check_tavus_cli.py", "check_livekit.py", "check_pipecat.py")
TIME_LIMIT = 300


def prepared_venv(data: Path) -> Path:
    """Return the Python of a venv with the pinned clients; made, or made anew when the pins have changed."""
    folder = data / "fidelity-venv"
    python, stamp = folder / "bin" / "python", folder / "pins"
    pins = HERE / "requirements.txt"
    wanted = hashlib.sha256(pins.read_bytes()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == wanted):
        print(f"Installing the clients into {folder} (once)…", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", pins], check=True, stderr=subprocess.DEVNULL)
        stamp.write_text(wanted)
    return python


def run_check(python: Path, check: str, twin: TwinProcess) -> bool:
    """Run one check; on failure print all that it said."""
    run = subprocess.run(
        [python, HERE / check, twin.url, twin.daily_url, twin.ca_file],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIME_LIMIT, check=False,
    )  # fmt: skip
    passed = run.returncode == 0
    lines = run.stdout.splitlines()
    print("\n".join(line for line in lines if line.startswith("ok  ") or not passed), flush=True)
    if not passed:
        print(f"FAILED  {check} (exit code {run.returncode})", flush=True)
    return passed


def main() -> int:
    python = prepared_venv(Path(os.environ.get("ECHOADMIN_DATA") or ROOT / "var"))
    with tempfile.TemporaryDirectory() as folder, running_twin(Path(folder), speed=10.0) as twin:
        results = [run_check(python, check, twin) for check in CHECKS]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
