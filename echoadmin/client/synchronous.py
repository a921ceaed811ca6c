"""The client that blocks."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Concatenate, ParamSpec, TypeVar

import httpx

from echoadmin.client import operations as every
from echoadmin.client.calls import Call, Pages, Until
from echoadmin.client.configuration import PATIENCE, TIMEOUT, options
from echoadmin.client.trying import Pause, Steps, looks, tries

T = TypeVar("T")
P = ParamSpec("P")


def _one(make: Callable[P, Call[T]]) -> Callable[Concatenate[Client, P], T]:
    @functools.wraps(make)
    def method(self: Client, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.do(make(*args, **kwargs))

    return method


def _each(make: Callable[P, Pages[T]]) -> Callable[Concatenate[Client, P], Iterator[T]]:
    @functools.wraps(make)
    def method(self: Client, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return self.each(make(*args, **kwargs))

    return method


def _until(make: Callable[P, Until[T]]) -> Callable[Concatenate[Client, P], T]:
    @functools.wraps(make)
    def method(self: Client, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.until(make(*args, **kwargs))

    return method


class Client:
    """A console's REST API: `with Client("http://127.0.0.1:8000", key) as console: console.say(id, "Hello.")`.

    url, key: else from ECHOADMIN_URL and ECHOADMIN_KEY. timeout: seconds for one answer. patience: seconds that a
    request is tried again for, where that is safe. Raises ApiError, NoAnswer and TookTooLong; safe from many threads.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.patience = patience
        self._http = httpx.Client(**options(url, key, timeout, transport))

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def do(self, call: Call[T]) -> T:
        """The answer to any call, also to one that has no method here: `do(calls.get("latencies/"))`."""
        return self._run(tries(call, self.patience))

    def each(self, pages: Pages[T]) -> Iterator[T]:
        """All that a list holds, a page at a time as it is needed."""
        call: Call[object] | None = pages.first
        while call is not None:
            page = self.do(call)
            yield from pages.items(page)
            call = pages.following(call, page)

    def until(self, until: Until[T]) -> T:
        """Look until it is as it is waited for."""
        return self._run(looks(until, self.patience))

    def _run(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    step = steps.send(None)
                    continue
                try:
                    response = self._http.send(self._http.build_request(**step.arguments()))
                except httpx.TransportError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(response)
        except StopIteration as end:
            answer: T = end.value
            return answer

    # --- what can be asked; `operations/` says how ---

    personas = _each(every.personas)
    persona = _one(every.persona)
    create_persona = _one(every.create_persona)
    delete_persona = _one(every.delete_persona)
    replicas = _each(every.replicas)
    replica = _one(every.replica)
    sync = _one(every.sync)
    conversations = _each(every.conversations)
    conversation = _one(every.conversation)
    create_conversation = _one(every.create_conversation)
    join = _one(every.join)
    leave = _one(every.leave)
    end = _one(every.end)
    sync_conversation = _one(every.sync_conversation)
    say = _one(every.say)
    say_audio = _one(every.say_audio)
    say_file = _one(every.say_file)
    say_all = _one(every.say_all)
    echoes = _each(every.echoes)
    echo = _one(every.echo)
    cancel = _one(every.cancel)
    say_again = _one(every.say_again)
    approve = _one(every.approve)
    reject = _one(every.reject)
    interrupt = _one(every.interrupt)
    interact = _one(every.interact)
    floor = _one(every.floor)
    take_floor = _one(every.take_floor)
    hand_over_floor = _one(every.hand_over_floor)
    release_floor = _one(every.release_floor)
    entries = _each(every.entries)
    messages = _each(every.messages)
    follow = _each(every.follow)
    all_entries = _each(every.all_entries)
    scripts = _each(every.scripts)
    script = _one(every.script)
    create_script = _one(every.create_script)
    run_script = _one(every.run_script)
    runs = _each(every.runs)
    run = _one(every.run)
    start_run = _one(every.start_run)
    export = _one(every.export)
    stop_run = _one(every.stop_run)
    pause_run = _one(every.pause_run)
    resume_run = _one(every.resume_run)
    run_file = _each(every.run_file)
    until_joined = _until(every.until_joined)
    until_ended = _until(every.until_ended)
    until_run_ended = _until(every.until_run_ended)
