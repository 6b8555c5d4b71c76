from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from recsys.core.config import Home
from recsys.store.database import database
from recsys.store.keys import Role, create_key, revoke_key
from serving.auth import Bucket, Gate
from serving.errors import RefusedError
from serving.keyring import Keyring

AT = datetime(2025, 1, 1, 8, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def engine(home: Home) -> Iterator[Engine]:
    with database(home.database) as opened:
        yield opened


@pytest.fixture
def keyring(home: Home) -> Keyring:
    return Keyring(home.database, lambda _: None)


def call(client: str | None = "127.0.0.1", **headers: str) -> dict[str, Any]:
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"headers": sent, "client": None if client is None else (client, 5000)}


def refusal(gate: Gate, scope: dict[str, Any], needed: Role = Role.MALL) -> RefusedError:
    with pytest.raises(RefusedError) as raised:
        gate.admit(scope, needed)
    return raised.value


class TestBucket:
    def test_it_gives_a_seconds_worth_at_once_and_then_as_fast_as_it_fills(self) -> None:
        bucket = Bucket(2, now=0.0)
        assert [bucket.take(0.0) for _ in range(3)] == [0, 0, 0.5]
        assert bucket.take(0.4) == pytest.approx(0.1)
        assert bucket.take(0.5) == 0
        assert bucket.take(100.0) == 0

    def test_what_is_not_taken_is_not_saved_up_for_longer_than_a_second(self) -> None:
        bucket = Bucket(2, now=0.0)
        assert [bucket.take(1000.0) for _ in range(3)] == [0, 0, 0.5]

    def test_a_rate_below_one_a_second_still_lets_one_through(self) -> None:
        bucket = Bucket(0.1, now=0.0)
        assert bucket.take(0.0) == 0
        assert bucket.take(0.0) == pytest.approx(10)


class TestWithoutKeys:
    @pytest.mark.parametrize("client", ["127.0.0.1", "127.8.0.3", "::1", None])
    def test_callers_on_this_machine_may_do_everything(self, keyring: Keyring, client: str | None) -> None:
        keyring.read()
        Gate(keyring).admit(call(client), Role.ADMIN)

    @pytest.mark.parametrize("client", ["10.0.0.7", "fe80::1", "1270.0.0.1"])
    def test_others_may_do_nothing(self, keyring: Keyring, client: str) -> None:
        keyring.read()
        error = refusal(Gate(keyring), call(client))
        assert error.status == 401
        assert "recsys keys create" in str(error.fields["rule"])

    def test_reading_does_not_make_a_database(self, home: Home, keyring: Keyring) -> None:
        keyring.read()
        assert not (home.root / "recsys.db").exists()

    def test_nobody_is_let_in_before_the_keys_were_read(self, keyring: Keyring) -> None:
        assert refusal(Gate(keyring), call()).status == 503


class TestWithKeys:
    def test_a_key_is_taken_from_either_header(self, engine: Engine, keyring: Keyring) -> None:
        _, shown = create_key(engine, "a", Role.MALL, per_second=None, at=AT)
        keyring.read()
        gate = Gate(keyring)
        gate.admit(call("10.0.0.7", authorization=f"Bearer {shown}"), Role.MALL)
        gate.admit(call("10.0.0.7", authorization=f"bearer  {shown} "), Role.MALL)
        gate.admit(call("10.0.0.7", x_api_key=shown), Role.MALL)

    @pytest.mark.parametrize("change", [lambda key: key[:-1], lambda key: key + "x", lambda _: "rk_0_0", lambda _: "é"])
    def test_what_is_no_key_is_refused_and_so_is_nothing(self, engine: Engine, keyring: Keyring, change: Any) -> None:
        _, shown = create_key(engine, "a", Role.ADMIN, per_second=None, at=AT)
        keyring.read()
        gate = Gate(keyring)
        for scope in (call(authorization=f"Bearer {change(shown)}"), call(authorization=f"Basic {shown}"), call()):
            error = refusal(gate, scope)
            assert error.status == 401
            assert (b"www-authenticate", b'Bearer realm="recsys"') in error.headers

    def test_a_role_may_not_do_what_needs_one_above(self, engine: Engine, keyring: Keyring) -> None:
        _, shown = create_key(engine, "a", Role.OPS, per_second=None, at=AT)
        keyring.read()
        scope = call(x_api_key=shown)
        Gate(keyring).admit(scope, Role.MALL)
        Gate(keyring).admit(scope, Role.OPS)
        assert refusal(Gate(keyring), scope, Role.ADMIN).status == 403

    def test_a_revoked_key_is_refused_and_revoking_the_last_does_not_open_the_door(
        self, engine: Engine, keyring: Keyring
    ) -> None:
        key, shown = create_key(engine, "a", Role.MALL, per_second=None, at=AT)
        keyring.read()
        gate = Gate(keyring)
        gate.admit(call(x_api_key=shown), Role.MALL)
        revoke_key(engine, key.key_id, AT)
        keyring.read()
        assert refusal(gate, call(x_api_key=shown)).status == 401
        assert refusal(gate, call()).status == 401

    def test_a_rate_is_held_and_tells_when_to_come_again(self, engine: Engine, keyring: Keyring) -> None:
        _, slow = create_key(engine, "a", Role.MALL, per_second=0.01, at=AT)
        _, free = create_key(engine, "b", Role.MALL, per_second=None, at=AT)
        keyring.read()
        gate = Gate(keyring)
        gate.admit(call(x_api_key=slow), Role.MALL)
        error = refusal(gate, call(x_api_key=slow))
        assert error.status == 429
        assert (b"retry-after", b"100") in error.headers
        gate.admit(call(x_api_key=free), Role.MALL)

    def test_a_request_that_its_role_forbids_does_not_use_the_rate_up(self, engine: Engine, keyring: Keyring) -> None:
        _, shown = create_key(engine, "a", Role.MALL, per_second=0.01, at=AT)
        keyring.read()
        gate = Gate(keyring)
        assert refusal(gate, call(x_api_key=shown), Role.OPS).status == 403
        gate.admit(call(x_api_key=shown), Role.MALL)


def test_keys_last_read_stay_in_force_while_the_database_is_gone(home: Home, engine: Engine) -> None:
    heard: list[bool] = []
    keyring = Keyring(home.database, heard.append)
    _, shown = create_key(engine, "a", Role.MALL, per_second=None, at=AT)
    keyring.read()
    (home.root / "recsys.db").rename(home.root / "away")
    keyring.read()
    gate = Gate(keyring)
    gate.admit(call(x_api_key=shown), Role.MALL)
    assert refusal(gate, call()).status == 401
    (home.root / "away").rename(home.root / "recsys.db")
    keyring.read()
    assert heard == [True, False, True]


def test_a_database_that_was_never_read_lets_nobody_in(home: Home) -> None:
    (home.root / "recsys.db").write_bytes(b"no database" * 1000)
    keyring = Keyring(home.database, lambda _: None)
    keyring.read()
    assert not keyring.readable
    assert refusal(Gate(keyring), call()).status == 503


def test_the_thread_follows_and_ends(home: Home, engine: Engine) -> None:
    keyring = Keyring(home.database, lambda _: None)
    create_key(engine, "a", Role.MALL, per_second=None, at=AT)
    keyring.start()
    assert keyring.known is not None
    assert keyring.known.any_made
    keyring.stop()
