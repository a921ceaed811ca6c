"""Certificates, the store, faults, the command's settings."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509

from echoadmin.twin.certificates import ensure_certificates
from echoadmin.twin.command import settings_from
from echoadmin.twin.faults import BadFault, Faults, read_fault
from echoadmin.twin.server import CannotStart
from echoadmin.twin.store import Message, Store


def test_the_ca_vouches_for_localhost_and_the_loopback_address_and_the_key_is_private(tmp_path: Path) -> None:
    files = ensure_certificates(tmp_path)
    ca = x509.load_pem_x509_certificate(files.ca_file.read_bytes())
    server = x509.load_pem_x509_certificate(files.cert_file.read_bytes())
    server.verify_directly_issued_by(ca)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert files.key_file.stat().st_mode & 0o777 == 0o600
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.cert_file, files.key_file)


def test_certificates_are_made_once(tmp_path: Path) -> None:
    before = ensure_certificates(tmp_path).ca_file.read_bytes()
    assert ensure_certificates(tmp_path).ca_file.read_bytes() == before


def message(n: int) -> Message:
    return Message("c1", n, 1.5, "sender", "name", "*", '{"n":1}', "")


async def test_what_was_flushed_is_there_after_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "twin.sqlite3"
    store = Store(path)
    row = {"id": "a", "value": 1}
    store.put("thing", "a", lambda: row)
    store.put("thing", "b", lambda: {"id": "b"})
    store.add(message(1))
    store.add(message(2))
    await store.flush()
    row["value"] = 2
    store.put("thing", "a", lambda: row)
    store.remove("thing", "b")
    await store.flush()
    # Opened anew beside the first, as after a kill: nothing was closed.
    again = Store(path)
    assert again.load("thing") == [{"id": "a", "value": 2}]
    assert again.last_numbers() == {"c1": 2}
    assert await again.read("c1", 0, 10) == [message(1), message(2)]
    assert await again.read("c1", 1, 10) == [message(2)]
    assert await again.read("c1", 0, 1) == [message(1)]
    assert path.stat().st_mode & 0o777 == 0o600
    await again.close()
    await store.close()


async def test_a_fault_is_used_up_after_its_count_and_survives_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "twin.sqlite3")
    faults = Faults(store)
    faults.add(read_fault({"kind": "replica_late", "count": 2, "seconds": 3, "conversation_id": "c1"}))
    faults.add(read_fault({"kind": "html", "count": None}))
    assert faults.take("replica_late", "c2") is None
    assert faults.take("replica_absent", "c1") is None
    taken = faults.take("replica_late", "c1")
    assert taken is not None
    assert taken.seconds == 3
    await store.flush()
    again = Faults(store)
    assert again.take("replica_late", "c1")
    assert again.take("replica_late", "c1") is None
    assert [row["kind"] for row in again.describe()] == ["html"]
    assert again.clear() == 1
    assert again.take_for_request("GET", "/v2/personas") is None
    await store.close()


def test_a_status_fault_has_a_status_by_default() -> None:
    assert read_fault({"kind": "status"}).status == 500
    assert read_fault({"kind": "html"}).status == 502
    assert read_fault({"kind": "refuse_join"}).status is None
    assert read_fault({"kind": "cut", "method": "post"}).method == "POST"


@pytest.mark.parametrize("count", [0, -1, "2", True, 1.5])
def test_a_count_is_a_whole_number_from_one_or_null(count: object) -> None:
    with pytest.raises(BadFault, match="count must be a whole number"):
        read_fault({"kind": "cut", "count": count})


def test_options_come_before_the_environment_and_that_before_the_defaults() -> None:
    environment = {"TWIN_PORT": "1000", "TWIN_SPEED": "2", "ECHOADMIN_DATA": "/data"}
    settings = settings_from({"port": 2000, "daily_port": None, "speed": None, "data": None}, environment)
    assert (settings.port, settings.daily_port, settings.speed) == (2000, 8791, 2.0)
    assert settings.database == Path("/data/twin.sqlite3")
    assert settings_from({}, {}).data == Path("var")


@pytest.mark.parametrize("environment", [{"TWIN_PORT": "x"}, {"TWIN_SPEED": "-1"}, {"TWIN_DAILY_PORT": "65536"}])
def test_a_setting_that_makes_no_sense_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(CannotStart, match="TWIN_"):
        settings_from({}, environment)
