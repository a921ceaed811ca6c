"""The files of a deployment are true: they name what is there, and wait as long as the code may take."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families

from conversations.rooms.worker import STOP_TIMEOUT
from echoadmin.serving.console import GRACE, LAST_RESORT
from tests.acceptance.calling import Call
from tests.console_process import running_console
from tests.integration.deployed import (
    DEPLOY,
    ROOT,
    dockerfile,
    image_environment,
    read_yaml,
    seconds,
    services_of_ours,
    settings_names,
    unit,
)

UNITS = ("echoadmin-console.service", "echoadmin-worker@.service")
INSTRUCTIONS = {
    *("FROM", "RUN", "WORKDIR", "COPY", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD"),
}  # fmt: skip


def longest_drain() -> float:
    """Seconds that a worker may need for the echo in hand and its rooms."""
    echo = settings.ECHO_MAX_SECONDS * settings.ECHO_STOP_FACTOR + settings.ECHO_STOP_EXTRA
    return echo + settings.ECHO_START_DEADLINE + settings.ECHO_COMPLETION_DEADLINE + STOP_TIMEOUT


def test_compose_names_only_what_there_is() -> None:
    told = read_yaml("compose.yaml")
    for name, service in told["services"].items():
        wanted = service.get("depends_on", {})
        assert set(wanted) <= set(told["services"]), name
        for other, how in wanted.items():
            checked = told["services"][other].get("healthcheck") or told["services"][other]["image"] == "echoadmin"
            assert how["condition"] != "service_healthy" or checked, f"{other} has a healthcheck"
        assert set(service.get("secrets", [])) <= set(told["secrets"]), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in told["volumes"], volume
        for variable, value in service.get("environment", {}).items():
            if str(value).startswith("/run/secrets/"):
                assert str(value).removeprefix("/run/secrets/") in service["secrets"], variable


def test_its_settings_are_settings() -> None:
    for name, service in services_of_ours().items():
        assert set(service["environment"]) <= settings_names(), name
    assert set(image_environment()) - {"PYTHONUNBUFFERED"} <= settings_names()
    for name in UNITS:
        lines = [*(DEPLOY / "echoadmin.env").read_text().splitlines(), *unit(name)["Environment"]]
        assert {line.split("=")[0] for line in lines if line and line[0] != "#"} <= settings_names()


def test_who_stops_a_process_waits_as_long_as_it_may_take() -> None:
    services = services_of_ours()
    console = GRACE + LAST_RESORT + 5  # and the duties
    assert all(seconds(services[name]["stop_grace_period"]) >= console for name in ("console-a", "console-b"))
    assert all(seconds(services[name]["stop_grace_period"]) >= longest_drain() for name in ("worker-a", "worker-b"))
    assert float(unit(UNITS[0])["TimeoutStopSec"][0]) >= console
    assert float(unit(UNITS[1])["TimeoutStopSec"][0]) >= longest_drain()


def test_the_image_holds_what_runs_and_no_more() -> None:
    told = dockerfile()
    assert {name for name, _ in told} <= INSTRUCTIONS
    copied = [word for name, rest in told if name == "COPY" for word in rest.split()[:-1]]
    assert {"requirements.txt", "manage.py", "echoadmin", "personas", "conversations"} == set(copied)
    assert all((ROOT / source).exists() for source in copied)
    for name, rest in told:
        if name == "CMD":
            assert json.loads(rest) == ["python", "manage.py", "serve"]
    names = [name for name, _ in told]
    assert names.index("USER") < names.index("CMD"), "it does not run as root"


def test_the_image_s_pg_dump_is_not_older_than_the_server() -> None:
    assert dict(dockerfile())["FROM"].endswith("bookworm"), "whose postgresql-client is 15"
    assert read_yaml("compose.yaml")["services"]["postgres"]["image"] == "postgres:15"


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong_with_a_unit(name: str, tmp_path: Path) -> None:
    text = (DEPLOY / name).read_text().replace("/opt/echoadmin/.venv/bin/python", "/bin/true")
    text = re.sub(r"(?m)^(Documentation|User|Group)=.*\n", "", text)  # nobody has made the user here
    path = tmp_path / name.replace("@", "@1")
    path.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert name.split("@")[0] not in done.stderr, done.stderr


@pytest.mark.parametrize("name", UNITS)
def test_each_credential_of_a_unit_is_loaded_and_used(name: str) -> None:
    told = unit(name)
    loaded = {one.split(":")[0] for one in told["LoadCredential"]}
    assert {one.split("%d/")[1] for one in told["Environment"] if "%d/" in one} == loaded


def test_the_proxy_leads_to_the_consoles_and_lets_the_largest_upload_through() -> None:
    text = (DEPLOY / "Caddyfile").read_text()
    assert text.count("{") == text.count("}")
    [upstreams] = re.findall(r"reverse_proxy (.+) \{", text)
    services, port = services_of_ours(), image_environment()["PORT"]
    assert [one.split(":") for one in upstreams.split()] == [[name, port] for name in services if "console" in name]
    [megabytes] = re.findall(r"max_size (\d+)MB", text)
    assert int(megabytes) * 1_000_000 > settings.LARGEST_PAGE_UPLOAD
    assert "path /metrics" in text
    assert not re.search(r"(?m)^\s*log\b", text), "a webhook's address ends in a secret"


def test_secrets_are_made_once_and_those_that_are_there_stay(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"

    def run() -> dict[str, str]:
        subprocess.run([DEPLOY / "make-secrets", folder], check=True, capture_output=True, timeout=30)
        return {path.name: path.read_text() for path in folder.iterdir()}

    made = run()
    assert run() == made
    (folder / "secret_key").unlink()
    again = run()
    assert {name for name in made if made[name] != again[name]} == {"secret_key"}
    assert len(made["secret_key"]) >= 50
    assert len(base64.b64decode(made["signing_key"], validate=True)) == 32
    assert made["postgres_password"] in made["database_url"]
    assert folder.stat().st_mode & 0o077 == 0
    assert set(made) | {"tavus_api_key"} == set(read_yaml("compose.yaml")["secrets"])


# --- what is watched ---


def test_prometheus_scrapes_every_console_and_worker() -> None:
    told, services = read_yaml("deploy/prometheus.yaml"), services_of_ours()
    for path in told["rule_files"]:
        assert (DEPLOY / path).exists()
    targets = {one for job in told["scrape_configs"] for config in job["static_configs"] for one in config["targets"]}
    ports = {name: one["environment"].get("ECHOADMIN_WORKER_PORT", 8000) for name, one in services.items()}
    assert targets == {f"{name}:{port}" for name, port in ports.items() if name != "migrate"}
    consoles = [name for name in services if "console" in name]
    for name in consoles:
        hosts = services[name]["environment"]["ECHOADMIN_ALLOWED_HOSTS"].split(",")
        assert set(consoles) <= set(hosts), "Prometheus asks by these names"


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Each metric of a console that has said something, with the names of its labels."""
    more = {"TWIN_SPEED": "50", "CONVERSATION_SLOTS": "3", "PRICE_PER_MINUTE": "1"}
    with running_console(tmp_path_factory.mktemp("console"), **more) as console:
        call = Call(console, console.api_key())
        call.open()
        call.until_state(call.say("Hello."), "spoken")
        text = call.http.get(f"{console.url}/metrics").text
    found: dict[str, set[str]] = {"up": {"job", "instance"}}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {"job", "instance"}).update(sample.labels)
    return found


def expressions() -> list[tuple[str, str]]:
    rules = [rule for group in read_yaml("deploy/alerts.yaml")["groups"] for rule in group["rules"]]
    board = json.loads((DEPLOY / "grafana" / "dashboards" / "echoadmin.json").read_text())
    asked = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel["targets"]]
    return [*((rule["alert"], rule["expr"]) for rule in rules), *asked]


@pytest.mark.own_database
def test_alerts_and_panels_ask_for_metrics_and_labels_that_there_are(scraped: dict[str, set[str]]) -> None:
    for title, expression in expressions():
        assert expression.count("(") == expression.count(")"), title
        names = re.findall(r"\b(?:echoadmin_\w+|process_\w+|up)\b(?=[\s{)\[]|$)", expression)
        assert names, title
        for name in names:
            assert name in scraped, f"{title}: {name}"
        for name, matchers in re.findall(r"(\w+)\{([^}]*)\}", expression):
            for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers):
                assert label in scraped[name], f"{title}: {name} has no {label}"
        for labels in re.findall(r"\bby \(([^)]*)\)", expression):
            everywhere = set().union(*(scraped[name] for name in names))
            assert {label.strip() for label in labels.split(",")} <= everywhere, title


def test_each_alert_says_how_urgent_it_is_and_what_it_means() -> None:
    [group] = read_yaml("deploy/alerts.yaml")["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names)
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]


def test_the_dashboard_s_panels_lie_side_by_side() -> None:
    board: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboards" / "echoadmin.json").read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert taken.isdisjoint(cells), panel["title"]
        taken |= cells
    folder = read_yaml("deploy/grafana/provisioning/dashboards/echoadmin.yaml")["providers"][0]["options"]["path"]
    mounted = [one.split(":")[1] for one in read_yaml("compose.yaml")["services"]["grafana"]["volumes"]]
    assert folder in mounted
