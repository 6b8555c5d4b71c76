from importlib import util

import pytest

from recsys.core.errors import MissingError
from recsys.core.time import AsOf
from recsys.features import relations
from recsys.features.catalog import CATALOG
from recsys.features.spark.dialect import ALLOWED, DEFINED, checked
from recsys.features.spark.session import spark_session
from recsys.features.stage import filled
from recsys.models.catalog import CATALOG as MODELS
from tests.shop import START

TEXTS = {
    **{spec.name: spec.sql.format(as_of=19_000) for spec in CATALOG},
    **{
        relation.name: filled(relation, AsOf(START))
        for relation in (
            *relations.BASES,
            *relations.FACTS,
            *relations.SHOP,
            *relations.MEMBERS,
            *(pair for pairs in relations.PAIRS.values() for pair in pairs),
        )
    },
    **{f"rows of {name}": recipe.task.where for name, recipe in MODELS.items()},
}


def test_every_text_says_only_what_both_engines_read_alike() -> None:
    assert len(TEXTS) > len(CATALOG) > 350
    for text in TEXTS.values():
        assert checked(text) == text


def test_no_function_is_allowed_that_nothing_calls() -> None:
    said = " ".join(TEXTS.values()).lower()
    assert [name for name in sorted(ALLOWED) if f"{name}(" not in said] == []
    assert [name for name in DEFINED if name != "timezone" and f"{name}(" not in said] == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("SELECT dayofweek(day) FROM purchase", "dayofweek"),
        ("SELECT mode(channel), count(*) FROM purchase", "mode"),
        ("SELECT max_by(channel, day) FROM purchase", "max_by"),
        ("SELECT entropy(day), first(day), hash(member_id), date_diff('hour', a, b) FROM x", "date_diff, entropy"),
        ("SELECT Floor (price) FROM x", "floor"),
        ("SELECT day / 7.0 FROM x", "7.0"),
        ("SELECT day // 7 FROM x", "//"),
        ("SELECT 'a\\n' FROM x", "backslash"),
        ("SELECT day::BIGINT FROM x", "::"),
        ("SELECT CAST(day AS VARCHAR) FROM x", "VARCHAR"),
        ("SELECT * EXCLUDE (day) FROM x", "EXCLUDE"),
        ("SELECT day FROM x GROUP BY ALL", "GROUP BY ALL"),
        ("SELECT 1 FROM a WHERE b IN (FROM c)", "(FROM"),
        ("SELECT rank() OVER (one ORDER BY day) FROM x WINDOW one AS (PARTITION BY member_code)", "over (one"),
        ("SELECT a FROM x ASOF JOIN y ON a >= b", "ASOF"),
    ],
)
def test_what_engines_read_differently_is_refused_by_its_name(text: str, word: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        checked(text)
    assert word.lower() in str(refused.value).lower()


def test_words_in_quotes_are_no_functions() -> None:
    assert checked("SELECT 'mode(x) 7.0 // varchar', 2e-01, 'it''s (from x)' FROM x WHERE a IN (1)")


def test_without_pyspark_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsys.features.spark.session.find_spec", lambda _: None)
    with pytest.raises(MissingError) as missing, spark_session("spark://nowhere:1"):
        pass
    assert "recsys[spark]" in str(missing.value.fields["step"])


def test_without_java_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    assert util.find_spec("pyspark") is not None
    with pytest.raises(MissingError) as missing, spark_session("spark://nowhere:1"):
        pass
    assert "Java" in str(missing.value.fields["what"])
