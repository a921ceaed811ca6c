"""A day at a real console, by pages, REST and sockets, in which much goes wrong; every answer is kept."""

from __future__ import annotations

import base64
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx
import pyotp
import websockets.sync.client as websockets
from websockets.exceptions import InvalidStatus

from tests.console_process import ConsoleProcess
from tests.twin_process import TwinProcess
from tests.waiting import until

LISTS = (
    *("personas", "replicas", "conversations", "entries", "messages", "webhooks", "workers", "duties", "runs", "views"),
    *("rules", "alerts", "subscriptions", "deliveries", "lines", "scripts", "latencies", "entries/gaps", "schema"),
)
PAGES = (
    *("", "conversations/conversation/", "conversations/echo/", "conversations/room/", "personas/persona/"),
    *("personas/replica/", "log/entry/", "echoadmin/run/", "echoadmin/installation/", "deliveries/subscription/"),
    *("deliveries/delivery/", "accounts/apikey/", "auth/user/", "conversations/worker/", "second-factor/"),
)


@dataclass
class Day:
    """What was done, what was answered, and the secrets that lay in it."""

    console: ConsoleProcess
    twin: TwinProcess
    secrets: dict[str, str]
    answers: list[tuple[str, bytes]] = field(default_factory=list)
    key: str = ""

    def __post_init__(self) -> None:
        self.browser = httpx.Client(base_url=self.console.url, timeout=60, follow_redirects=True)
        self.program = httpx.Client(base_url=self.console.url, timeout=60)
        self.conversation = ""

    def plant(self, name: str, value: str) -> str:
        """A secret to be looked for in the evening."""
        self.secrets[name] = value
        return value

    def keep(self, answer: httpx.Response, *, told_once: str = "") -> httpx.Response:
        """The answer, kept; but for cookies, which are for the browser, and a secret that is told once on purpose."""
        headers = [(name, value) for name, value in answer.headers.multi_items() if name != "set-cookie"]
        body = answer.content
        if told_once:
            assert told_once.encode() in body, "it is told once, here"
            body = body.replace(told_once.encode(), b"")
        place = f"the answer to {answer.request.method} {answer.request.url.path[:80]} ({answer.status_code})"
        self.answers.append((place, json.dumps(headers).encode() + b"\n" + body))
        return answer

    # --- pages -------------------------------------------------------------------------------------------------------

    def form(self, path: str, data: dict[str, Any], **more: Any) -> httpx.Response:
        """POST a form of the pages."""
        token = next(value for name, value in self.browser.cookies.items() if "csrf" in name)
        return self.browser.post(path, data={**data, "csrfmiddlewaretoken": token}, headers={"Referer": path}, **more)

    def sign_in(self) -> None:
        """Wrongly first: with a password in the wrong field, and a wrong one."""
        self.keep(self.browser.get("/admin/login/"))
        typed = self.plant("password in the field of the name", secrets.token_urlsafe(18))
        wrong = self.plant("wrong password", secrets.token_urlsafe(18))
        for name, password in ((typed, "x"), ("admin", wrong)):
            answer = self.form("/admin/login/", {"username": name, "password": password})
            self.keep(answer, told_once=typed if name == typed else "")  # the form is shown again as it was filled in
        self.keep(self.form("/admin/login/", {"username": "admin", "password": self.console.password}))
        assert self.browser.get("/admin/").url.path == "/admin/", "signed in"
        self.cookies("session of the first sign-in")

    def cookies(self, name: str) -> None:
        cookie = next(value for key, value in self.browser.cookies.items() if "csrf" not in key)
        self.plant(name, cookie)

    def change_password(self) -> None:
        fresh = self.plant("password", secrets.token_urlsafe(18))
        data = {"old_password": self.console.password, "new_password1": fresh, "new_password2": fresh}
        assert self.keep(self.form("/admin/password_change/", data)).url.path.endswith("/done/")
        self.keep(
            self.form(
                "/admin/password_change/", {**data, "new_password1": self.plant("mistyped password", "Zz9" + fresh)}
            )
        )
        self.cookies("session after the password's change")

    def enrol(self) -> None:
        """An authenticator, and a code on paper that is used."""
        page = self.browser.get("/admin/second-factor/")
        found = re.search(r"<code>([A-Z2-7 ]+)</code>", page.text)
        assert found is not None
        seed = self.plant("authenticator seed", found[1].replace(" ", ""))
        made = self.form("/admin/second-factor/", {"do": "confirm", "code": pyotp.TOTP(seed).now()})
        codes = re.findall(r"\b[0-9a-f]{5}-[0-9a-f]{5}\b", made.text)
        self.plant("code on paper", codes[0])
        self.plant("code on paper, typed without a dash", codes[1].replace("-", ""))
        self.keep(self.browser.get("/admin/second-factor/"))
        self.keep(self.form("/admin/logout/", {}))
        self.keep(self.browser.get("/admin/login/"))
        body = {"username": "admin", "password": self.secrets["password"]}
        self.keep(self.form("/admin/login/", {**body, "code": "wrong"}))
        self.keep(self.form("/admin/login/", {**body, "code": codes[1].replace("-", "")}))
        assert self.browser.get("/admin/").url.path == "/admin/", "signed in with a code on paper"
        self.cookies("session of the second sign-in")

    def make_keys(self) -> None:
        """By page and by REST; rotated; and used where it does not fit."""
        made = self.form("/admin/accounts/apikey/add/", {"label": "tts", "scopes": ["read", "speak", "manage"]})
        found = re.search(r"\b\w{8}\.\w{32}\b", made.text)
        assert found is not None, made.text
        self.key = found[0]
        self.keep(made, told_once=self.plant("API key", self.key))
        self.program.headers["Authorization"] = f"Bearer {self.key}"
        token = next(value for name, value in self.browser.cookies.items() if "csrf" in name)
        headers = {"X-CSRFToken": token, "Referer": self.console.url}
        answer = self.browser.post("/api/v1/keys/", json={"label": "other"}, headers=headers)
        other = self.plant("API key by REST", answer.json()["key"])
        self.keep(answer, told_once=other)
        answer = self.browser.post(f"/api/v1/keys/{other.partition('.')[0]}/rotate/", json={}, headers=headers)
        self.keep(answer, told_once=self.plant("rotated API key", answer.json()["key"]))
        wrong = self.plant("mistyped API key", self.key[:-4] + secrets.token_hex(2))
        self.keep(self.program.get("/api/v1/personas/", headers={"Authorization": f"Bearer {wrong}"}))
        self.keep(self.program.get("/api/v1/personas/?token=x", headers={"Authorization": f"Basic {wrong}"}))

    # --- conversations -----------------------------------------------------------------------------------------------

    def converse(self) -> None:
        """A private room (Tavus gives a token), joined, spoken in, interrupted, and ended."""
        layers = {"llm": {"api_key": self.plant("key of a language model", secrets.token_urlsafe(24)), "model": "x"}}
        body = {"persona_name": "Day", "pipeline_mode": "echo", "default_replica_id": "re8e740a42", "layers": layers}
        assert self.keep(self.program.post("/api/v1/personas/", json=body)).status_code == 201
        hook = self.plant("secret in a callback", secrets.token_urlsafe(24))
        made = {"persona_id": "pipecat0", "replica_id": "re8e740a42", "require_auth": True, "join": True}
        callback = {"callback_url": f"http://127.0.0.1:9/hook?token={hook}"}
        self.keep(self.program.post("/api/v1/conversations/", json={**made, **callback}))
        answer = self.keep(self.program.post("/api/v1/conversations/", json=made))
        assert answer.status_code == 201, answer.text
        self.conversation = f"/api/v1/conversations/{answer.json()['id']}/"
        until(lambda: self.program.get(self.conversation).json()["room"]["replica_present"], "the replica came")
        self.keep(self.program.post(f"{self.conversation}echoes/?wait=spoken", json={"text": "Good morning."}))
        samples = base64.b64encode(bytes(48_000)).decode()
        body = {"audio": samples, "sample_rate": 24_000}
        self.keep(self.program.post(f"{self.conversation}echoes/", json=body))
        self.keep(self.program.post(f"{self.conversation}interrupt/"))
        for path in ("", "echoes/", "entries/", "messages/", "timeline/", "gaps/", "latencies/", "interactions/"):
            self.keep(self.program.get(self.conversation + path))

    def listen(self) -> None:
        """By a socket, with the right key and a wrong one, and with one in the address."""
        at = self.console.url.replace("http", "ws") + "/ws/v1/log/"
        with websockets.connect(at, additional_headers={"Authorization": f"Bearer {self.key}"}) as line:
            self.answers.append(("the socket's first word", str(line.recv(10)).encode()))
        wrong = self.plant("API key in an address", secrets.token_urlsafe(24))
        with websockets.connect(f"{at}?key={wrong}") as line:
            self.answers.append(("the socket's refusal", repr(line.recv_streaming).encode()))
        try:
            websockets.connect(at, origin="https://elsewhere.example")  # type: ignore[arg-type]
        except InvalidStatus as refused:
            self.answers.append(("the socket's answer to another site", bytes(refused.response.body or b"")))

    def go_wrong(self) -> None:
        """Tavus answers with errors that repeat the key it was sent; a page breaks; somebody sends nonsense."""
        key = self.secrets["TAVUS_API_KEY"]
        repeated = {
            "error": f"key {key} is over its quota",
            "x-api-key": key,
            "request": {"headers": {"x-api-key": key}},
        }
        for status in (400, 401, 402, 429, 500):
            self.twin.fault("status", status=status, body=repeated, headers={"x-echo": key})
            self.keep(self.program.post("/api/v1/personas/sync/"))
            self.twin.fault("status", status=status, body=f"<html>{key}</html>")
            self.keep(self.program.post("/api/v1/conversations/", json={"persona_id": "pipecat0"}))
        self.twin.fault("html", body=f"<html>Authorization: {key}</html>")
        self.keep(self.program.post("/api/v1/replicas/sync/"))
        self.twin.request("DELETE", "/twin/faults")
        self.keep(self.program.post("/api/v1/personas/", content=b"{", headers={"Content-Type": "application/json"}))
        self.keep(self.program.post("/api/v1/stop/", json={"reason": "x", "more": 1}))

    def report(self, webhook: str) -> None:
        """Webhooks in, by the right address and by wrong ones; webhooks out, to somebody who does not answer."""
        wrong = self.plant("wrong webhook secret", secrets.token_urlsafe(24))
        event = {"event_type": "system.replica_joined", "conversation_id": "none", "properties": {"api_key": wrong}}
        for secret, status in ((webhook, 200), (wrong, 404)):
            assert self.keep(self.program.post(f"/webhooks/tavus/{secret}/", json=event)).status_code == status
            self.keep(self.program.get(f"/webhooks/tavus/{secret}/"))
        body = {"url": "http://127.0.0.1:9/hook", "event_types": ["echo.spoken"]}
        token = next(value for name, value in self.browser.cookies.items() if "csrf" in name)
        headers = {"X-CSRFToken": token, "Referer": self.console.url}
        answer = self.browser.post("/api/v1/subscriptions/", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        self.keep(answer, told_once=self.plant("secret of webhooks out", answer.json()["secret"]))

    def look_around(self) -> None:
        """Every list, page and export, metrics and probes."""
        for name in LISTS:
            assert self.keep(self.program.get(f"/api/v1/{name}/")).status_code == 200, name
        for form in ("ndjson", "csv", "zip"):
            path = f"/api/v1/entries/export/?format={form}&audio=include"
            assert self.keep(self.program.get(path)).status_code == 200, form
        for name in PAGES:
            assert self.keep(self.browser.get(f"/admin/{name}")).status_code == 200, name
        for row in self.program.get("/api/v1/entries/?limit=200").json()["results"]:
            self.keep(self.program.get(f"/api/v1/entries/{row['id']}/"))
        for path in ("/metrics", "/healthz", "/readyz", "/admin/nothing/", "/api/nothing/"):
            self.keep(self.program.get(path))
        run = self.program.post("/api/v1/runs/", json={"kind": "export", "params": {"format": "ndjson"}})
        self.keep(run)

    def break_a_page(self) -> None:
        """A fault of the console's own: its output has the traceback, the answer a number to ask for."""
        self.console.manage(
            "shell", "-c", "from django.db import connection as c; c.cursor().execute('DROP TABLE alerts_rule')"
        )
        answer = self.keep(self.browser.get("/admin/alerts/rule/"))
        assert answer.status_code == 500, answer.status_code
        self.keep(self.program.get("/api/v1/rules/"))
        until(lambda: "Traceback" in self.console.said(), "the output has the traceback")

    def end(self) -> None:
        """The evening."""
        self.keep(self.program.post(f"{self.conversation}end/"))
        self.keep(self.form("/admin/logout/", {}))
        self.browser.close()
        self.program.close()
