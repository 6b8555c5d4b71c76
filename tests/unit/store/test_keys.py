from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from recsys.core.errors import RequestError
from recsys.store.keys import Role, all_keys, create_key, revoke_key, split_key

AT = datetime(2025, 1, 1, 8, tzinfo=UTC)
LATER = datetime(2025, 1, 2, 8, tzinfo=UTC)


def test_a_key_opens_with_its_own_secret_alone_and_the_secret_is_not_kept(engine: Engine) -> None:
    key, shown = create_key(engine, "前端", Role.MALL, per_second=20, at=AT)
    _, other = create_key(engine, "工单", Role.OPS, per_second=None, at=LATER)
    parts, others = split_key(shown), split_key(other)
    assert parts is not None
    assert others is not None
    assert parts[0] == key.key_id
    assert key.opens(parts[1])
    assert not key.opens(others[1])
    with engine.connect() as connection:
        stored = str(connection.execute(text("SELECT * FROM keys")).all())
    assert key.key_id in stored
    assert parts[1] not in stored


def test_keys_come_back_as_they_were_made(engine: Engine) -> None:
    first, _ = create_key(engine, "a", Role.MALL, per_second=20, at=AT)
    second, _ = create_key(engine, "b", Role.ADMIN, per_second=None, at=LATER)
    assert all_keys(engine) == (first, second)


def test_a_revoked_key_stays_revoked_since_the_first_time(engine: Engine) -> None:
    key, _ = create_key(engine, "a", Role.MALL, per_second=None, at=AT)
    revoked = replace(key, revoked_at=AT)
    assert revoke_key(engine, key.key_id, AT) == revoked
    assert revoke_key(engine, key.key_id, LATER) == revoked
    assert all_keys(engine) == (revoked,)


def test_a_key_that_lasts_for_some_time_stands_until_then(engine: Engine) -> None:
    key, _ = create_key(engine, "a", Role.MALL, per_second=None, at=AT, lasts=LATER - AT)
    assert all_keys(engine) == (key,)
    assert key.expires_at == LATER
    assert [key.stands(at) for at in (AT, LATER - timedelta(seconds=1), LATER)] == [True, True, False]
    assert not replace(key, revoked_at=AT).stands(AT)


def test_what_is_wrong_is_named(engine: Engine) -> None:
    with pytest.raises(RequestError, match="rate"):
        create_key(engine, "a", Role.MALL, per_second=0, at=AT)
    with pytest.raises(RequestError, match="name"):
        create_key(engine, " ", Role.MALL, per_second=1, at=AT)
    with pytest.raises(RequestError, match="days"):
        create_key(engine, "a", Role.MALL, per_second=1, at=AT, lasts=timedelta(0))
    with pytest.raises(RequestError, match="no-such"):
        revoke_key(engine, "no-such", AT)
    assert all_keys(engine) == ()


def test_a_role_may_do_what_those_before_it_may() -> None:
    assert [[own.covers(needed) for needed in Role] for own in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


@pytest.mark.parametrize("shown", ["", "rk", "rk_1", "xx_1_2", "Bearer rk_1_2", "rk1_2"])
def test_what_has_not_the_form_of_a_key_is_none(shown: str) -> None:
    assert split_key(shown) is None


def test_a_secret_may_hold_the_sign_that_parts_a_key() -> None:
    assert split_key("rk_1_a_b") == ("1", "a_b")
