"""The only importer of daily-python: one `Link` is one connection to one Daily room.

What the SDK demands (daily-python 0.36.0, measured): `Daily.init` once per process and never before a fork; callbacks
and completions run on a thread of each client and must not wait; a completion means "queued for the socket"; join,
leave and release can hang, so each has a time limit here and runs off the loop; a client that was interrupted is never
joined again, a new one takes its place.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import ssl
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from daily import CallClient, Daily, EventHandler

from conversations.rooms import inbox, sdk_stderr, sdk_trace
from conversations.rooms.events import Dropped, Event, Heard, JoinFailed, Left, Network, Present, StateChanged

logger = logging.getLogger(__name__)

NO_MEDIA = dict.fromkeys(("camera", "microphone", "screenVideo", "screenAudio"), "unsubscribed")

_init_lock = threading.Lock()
_initialised = False
_links: weakref.WeakSet[Link] = weakref.WeakSet()  # those that are joined


def initialise(*, ca_file: str, bundle_path: Path, trace: bool = False) -> None:
    """Load the SDK once. With `ca_file`, system CAs and that one are merged into `bundle_path` for the whole process.

    Without `trace` the SDK stops tracing each frame, which is most of what a message costs (`sdk_trace`).
    SSL_CERT_FILE is assigned, not defaulted: a machine that exports it already would silently win.
    """
    global _initialised
    with _init_lock:
        if ca_file:
            os.environ["SSL_CERT_FILE"] = str(_merged_bundle(ca_file, bundle_path))
        if not _initialised:
            sdk_stderr.watch(_unreadable)
            Daily.init()
            _initialised = True
            if not trace:
                sdk_trace.silence(Path(str(sys.modules["daily.daily"].__file__)))


def _unreadable(sender: str) -> None:
    """The SDK gave a message up; it does not say in which room, so each is asked whether it knows the sender."""
    logger.warning("Daily's SDK could not read a message from %s", sender or "somebody")
    for link in list(_links):
        link.note(Dropped(datetime.now(UTC), 1, "unreadable", sender))


def _keep_for_good(client: CallClient) -> None:
    """It is stuck in a call: dropping its last reference would block whoever does, the ending process among them."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))


def _merged_bundle(ca_file: str, bundle_path: Path) -> Path:
    if not Path(ca_file).is_file():
        told = "start the twin, or name its file (manage.py twin --print-ca) in DAILY_CA_FILE"
        raise FileNotFoundError(f"there is no CA file {ca_file}: {told}")
    own = Path(ca_file).read_bytes()
    system = ssl.get_default_verify_paths()
    found = next(
        (path for path in (system.openssl_cafile, "/etc/ssl/certs/ca-certificates.crt") if Path(path).is_file()), None
    )
    bundle_path.write_bytes((Path(found).read_bytes() + b"\n" if found else b"") + own)
    return bundle_path


class Link:
    """One participant of ours in one room. Create, `join`, `send`, `leave`; never joined twice."""

    def __init__(self, *, name: str, proxy_url: str, on_event: Callable[[Event], None]) -> None:
        """`name` is what others see; `on_event` is called on the loop, in the order in which things happened."""
        self._loop = asyncio.get_running_loop()
        self._name = name
        self._proxy_url = proxy_url
        self._on_event = on_event
        self._inbox = inbox.of(self._loop)
        self._box = inbox.Box(self._take)
        self._client: CallClient | None = None
        self._deaf = False  # it was left: what its threads still report concerns nobody
        self.session_id = ""

    # --- calls, on the loop ---

    async def join(self, url: str, token: str, timeout: float) -> None:
        """Join the room at `url`; raises JoinFailed with Daily's words, also after `timeout` seconds of silence."""
        answered: asyncio.Future[tuple[Any, str | None]] = self._loop.create_future()
        try:
            async with asyncio.timeout(timeout):
                await _off_loop(lambda: self._start_join(url, token, answered))
                data, error = await answered
        except TimeoutError:
            self._abandon()
            raise JoinFailed("timeout", f"Daily did not answer the join within {timeout:g} s") from None
        if error is not None:
            await self.leave(5)
            raise JoinFailed(_kind_of(error), _readable(error))
        local = (data or {}).get("participants", {}).get("local", {})
        self.session_id = str(local.get("id", ""))
        _links.add(self)

    def note(self, event: Event) -> None:
        """From any thread: something happened that no callback of this room's client tells."""
        self._put(event)

    def send(self, message: dict[str, Any], done: Callable[[str | None], None]) -> None:
        """Hand one app message to the SDK; `done` gets None or Daily's words, on the loop, later."""
        if self._client is None:
            self._loop.call_soon(done, "the link is closed")
            return
        try:
            self._client.send_app_message(message, None, completion=lambda error: self._put(partial(done, error)))
        except Exception as error:  # noqa: BLE001 - the SDK raises bare Exceptions of its own for what it can't carry
            self._loop.call_soon(done, f"{type(error).__name__}: {error}")

    async def leave(self, timeout: float) -> None:
        """Leave and release, each within `timeout` seconds; a client that hangs is abandoned, never waited for."""
        client, self._client = self._client, None
        _links.discard(self)
        if client is None:
            return
        left: asyncio.Future[None] = self._loop.create_future()
        try:
            async with asyncio.timeout(timeout):
                await _off_loop(lambda: client.leave(completion=lambda _: self._put(lambda: _settle(left, None))))
                await left
                await _off_loop(client.release)
        except TimeoutError:
            _keep_for_good(client)
            logger.warning("a Daily client did not leave within %g s and was abandoned", timeout)
        finally:
            self._deaf = True

    def _start_join(self, url: str, token: str, answered: asyncio.Future[tuple[Any, str | None]]) -> None:
        client = CallClient(event_handler=_Handler(self._put))
        self._client = client
        if self._proxy_url:
            client.set_proxy_url(self._proxy_url)
        client.set_user_name(self._name)
        client.update_subscription_profiles({"base": NO_MEDIA})
        client.join(
            url,
            meeting_token=token or None,
            client_settings={"inputs": {"camera": False, "microphone": False}},
            completion=lambda data, error: self._put(lambda: _settle(answered, (data, error))),
        )

    def _abandon(self) -> None:
        client, self._client = self._client, None
        self._deaf = True
        if client is not None:
            _keep_for_good(client)
            threading.Thread(target=client.leave, daemon=True).start()

    # --- from the SDK's threads to the loop ---

    def _put(self, item: Event | Callable[[], None]) -> None:
        """Called on SDK threads, which must not wait."""
        self._inbox.put(self._box, item)

    def _take(self, item: Event | Callable[[], None]) -> None:
        if callable(item):
            item()
        elif not self._deaf:
            self._on_event(item)


class _Handler(EventHandler):
    """Stamps, hands over, returns."""

    def __new__(cls, put: Callable[[Event], None]) -> _Handler:
        return super().__new__(cls)

    def __init__(self, put: Callable[[Event], None]) -> None:
        super().__init__()
        self._put = put

    def on_app_message(self, message: Any, sender: str) -> None:
        self._put(Heard(datetime.now(UTC), message, sender))

    def on_participant_joined(self, participant: Mapping[str, Any]) -> None:
        self._put(Present(datetime.now(UTC), _participant(participant)))

    def on_participant_updated(self, participant: Mapping[str, Any]) -> None:
        self._put(Present(datetime.now(UTC), _participant(participant)))

    def on_participant_left(self, participant: Mapping[str, Any], reason: str) -> None:
        self._put(Left(datetime.now(UTC), str(participant.get("id", "")), str(reason)))

    def on_call_state_updated(self, state: str) -> None:
        self._put(StateChanged(datetime.now(UTC), str(state)))

    def on_network_connection_status_updated(self, status: Mapping[str, Any]) -> None:
        if status.get("connection") == "signalling":
            self._put(Network(datetime.now(UTC), str(status.get("event", ""))))

    def on_error(self, text: str) -> None:
        logger.info("Daily says: %s", _readable(str(text)))


def _participant(participant: Mapping[str, Any]) -> dict[str, Any]:
    """Daily's record in our words; `is_replica` by the user id that the vendor gives it."""
    info = participant.get("info") or {}
    user_id = str(info.get("userId") or "")
    joined = info.get("joinedAt")
    return {
        "id": str(participant.get("id", "")),
        "name": str(info.get("userName") or ""),
        "user_id": user_id,
        "joined_at": datetime.fromtimestamp(joined, UTC).isoformat()
        if isinstance(joined, int | float) and joined
        else None,
        "is_replica": user_id.startswith("tavus-replica"),
        "is_us": bool(info.get("isLocal")),
    }


def _settle(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


async def _off_loop(call: Callable[[], Any]) -> Any:
    """Run `call` on a thread of its own that nobody has to wait for at the end of the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def run() -> None:
        try:
            result, error = call(), None
        except Exception as failure:  # noqa: BLE001 - it is raised again where it is awaited
            result, error = None, failure
        loop.call_soon_threadsafe(_answer, future, result, error)

    threading.Thread(target=run, name="daily-call", daemon=True).start()
    return await future


def _answer(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


_KINDS = (
    ("NoLongerAvailable", "gone"),
    ("NotYetAvailable", "refused"),
    ("HTTP error: 404", "gone"),
    ("not-found", "gone"),
    ("Unhandled(", "refused"),
    ("HTTP error: 4", "refused"),
    ("InvalidCertificate", "certificate"),
    ("Connect", "unreachable"),
)


def _kind_of(error: str) -> str:
    """A coarse class; the text is Rust's debug form and promises no more."""
    return next((kind for words, kind in _KINDS if words in error), "other")


def _readable(error: str) -> str:
    return error if len(error) <= 500 else error[:500] + "…"
