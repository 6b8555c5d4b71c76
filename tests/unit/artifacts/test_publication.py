import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.artifacts.publication import Publication
from recsys.artifacts.publication_content import COLUMNS, FINITE, Challenger, Reason, Tag
from recsys.artifacts.publication_write import write_publication
from recsys.core.errors import ArtifactError, MissingError
from recsys.core.folders import MANIFEST, current, file_digest
from tests.publications import AS_OF, MEMBERS, Made, category, content, member_id, product_id


def with_challenger(*, version: str = "2") -> Made:
    other = content(seed=1)
    return dataclasses.replace(content(), challenger=Challenger(version, other.recommend, other.discovery))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_publication(tmp_path_factory.mktemp("written"), content())


@pytest.fixture
def folder(tmp_path: Path, written: Path) -> Path:
    """Return a copy of a publication that may be spoiled; it is the current one of its root."""
    shutil.copytree(written.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / written.name


def test_what_is_written_is_what_is_read(folder: Path) -> None:
    made, publication = content(), Publication.open(folder)
    assert publication.as_of == AS_OF
    assert publication.tables_digest == made.tables_digest
    assert publication.model_versions == dict(made.model_versions)
    row = publication.members.row(member_id(4))
    assert row is not None
    given = made.recommend[made.recommend["member_id"] == member_id(4)].sort_values("score", ascending=False)
    span = publication.recommend.span(row)
    assert [publication.products.text(r) for r in publication.recommend.other[span]] == given["product_id"].tolist()
    np.testing.assert_allclose(publication.recommend.columns["score"][span], given["score"], rtol=1e-6)
    np.testing.assert_allclose(publication.recommend.columns["days_since"][span], given["days_since"])
    assert [publication.reason(at) for at in range(span.start, span.stop)] == given["reason"].tolist()
    pairs = made.repurchase[made.repurchase["member_id"] == member_id(4)].sort_values("p14", ascending=False)
    span = publication.repurchase.span(row)
    assert [publication.categories[r] for r in publication.repurchase.other[span]] == pairs["category"].tolist()
    np.testing.assert_allclose(publication.repurchase.columns["p28"][span], pairs["p28"], rtol=1e-6)
    value = made.value.set_index("member_id").loc[member_id(4)]
    assert {name: column[row] for name, column in publication.value.items()} == value.to_dict()
    assert publication.horizons == made.horizons
    assert publication.churn[row] == made.churn.set_index("member_id")["score"][member_id(4)]


def test_every_id_is_found_and_no_other(folder: Path) -> None:
    publication = Publication.open(folder)
    rows = [publication.members.row(member_id(n)) for n in range(MEMBERS - 1)]
    assert sorted(row for row in rows if row is not None) == list(range(MEMBERS - 1))
    assert [publication.members.text(row) for row in rows if row is not None] == [
        member_id(n) for n in range(MEMBERS - 1)
    ]
    assert publication.members.row("nobody") is None
    assert publication.products.row("") is None


def test_features_tags_and_factors_stand_with_their_member(folder: Path) -> None:
    made, publication = content(), Publication.open(folder)
    row = publication.members.row(member_id(3))
    assert row is not None
    assert publication.member_features(row) == {"money_90": None, "orders_90": 3.0, "tier": None, "city": "北京"}
    assert publication.member_tags(row) == (Tag.REGULAR, Tag.HIGH_VALUE)
    assert publication.member_factors is not None
    assert made.factors is not None
    np.testing.assert_allclose(publication.member_factors[row], made.factors.member_factors[3], rtol=1e-6)
    without = publication.members.row(member_id(MEMBERS - 2))
    assert np.isnan(publication.member_factors[without]).all()


def test_nothing_of_a_member_who_opted_out_is_written(tmp_path: Path) -> None:
    made = content()
    out = member_id(0)
    folder = write_publication(tmp_path, dataclasses.replace(made, opted_out=(out,)))
    publication = Publication.open(folder)
    assert publication.refused(out)
    assert not publication.refused(member_id(1))
    assert publication.members.row(out) is None
    assert all(out.encode() not in path.read_bytes() for path in folder.iterdir())


def test_what_can_be_sold_is_cut_at_as_of(folder: Path) -> None:
    publication = Publication.open(folder)
    rows = {n: publication.products.row(product_id(n)) for n in range(60)}
    assert {n for n, row in rows.items() if not publication.sellable[row]} == {6, 7, 8}


def test_popular_products_come_in_order_of_rank_and_category(folder: Path) -> None:
    publication = Publication.open(folder)
    assert [publication.products.text(row) for row in publication.popular[:3]] == ["p000", "p001", "p002"]
    row = publication.category_row(category(2))
    assert row is not None
    span = publication.popular_in.span(row)
    assert [publication.products.text(r) for r in publication.popular_in.other[span]][:3] == ["p002", "p008", "p014"]
    assert publication.category_row("category 22") is None


def test_rows_without_member_or_product_are_left_out_and_counted(tmp_path: Path) -> None:
    made = content()
    strange = pd.DataFrame(
        {"member_id": ["?", member_id(1)], "product_id": [product_id(1), "?"], "score": 1.0, "reason": "due"}
    )
    recommend = pd.concat([made.recommend, strange], ignore_index=True)
    folder = write_publication(tmp_path, dataclasses.replace(made, recommend=recommend))
    assert json.loads((folder / MANIFEST).read_text())["dropped"]["recommend"] == 2
    whole = write_publication(tmp_path, made)
    assert len(Publication.open(folder).recommend.other) == len(Publication.open(whole).recommend.other)


def test_lists_are_cut_to_the_best(tmp_path: Path) -> None:
    publication = Publication.open(write_publication(tmp_path, content(), keep=3))
    best = content().recommend.groupby("member_id")["score"].nlargest(3)
    row = publication.members.row(member_id(7))
    assert row is not None
    kept = publication.recommend.columns["score"][publication.recommend.span(row)]
    np.testing.assert_allclose(kept, best[member_id(7)], rtol=1e-6)
    span = publication.new_product.span(row)
    assert span.stop - span.start == 4


def test_the_same_content_is_the_same_folder_and_another_one_is_not(tmp_path: Path) -> None:
    first = write_publication(tmp_path, content())
    assert write_publication(tmp_path, content()) == first
    again = content(seed=1)
    shuffled = dataclasses.replace(again, recommend=again.recommend.sample(frac=1, random_state=5))
    second = write_publication(tmp_path, again)
    assert write_publication(tmp_path, shuffled) == second != first
    assert write_publication(tmp_path, content(version="2")) not in (first, second)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_pointer_names_the_latest(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        Publication.open_current(tmp_path)
    folder = write_publication(tmp_path, content())
    assert current(tmp_path) == folder
    assert Publication.open_current(tmp_path).folder == folder


def test_a_broken_folder_of_the_same_content_is_replaced(folder: Path) -> None:
    (folder / "churn_score.npy").write_bytes(b"")
    assert write_publication(folder.parent, content()) == folder
    Publication.open(folder)


def _truncate(folder: Path) -> None:
    path = folder / "recommend_score.npy"
    path.write_bytes(path.read_bytes()[:-1])


def _flip(folder: Path) -> None:
    path = folder / "members.arrow"
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)


def _remove(folder: Path) -> None:
    (folder / "popular.npy").unlink()


def _unseal(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def _other_format(folder: Path) -> None:
    _edit(folder, format=99)


def _lacks_a_key(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["categories"]
    (folder / MANIFEST).write_text(json.dumps(manifest))


def _other_counts(folder: Path) -> None:
    _edit(folder, members=7)


def _other_reasons(folder: Path) -> None:
    _edit(folder, reasons=[*map(str, Reason), "because"])


def _wild_rows(folder: Path) -> None:
    """Well-sealed, and still wrong: a pair names a product that is not there."""
    path = folder / "recommend_product.npy"
    rows = np.load(path)
    rows[0] = 1000
    np.save(path, rows)
    _edit(folder, files=_digests(folder))


def _short_column(folder: Path) -> None:
    path = folder / "product_price.npy"
    np.save(path, np.load(path)[1:])
    _edit(folder, files=_digests(folder))


def _falling_starts(folder: Path) -> None:
    path = folder / "new_product_start.npy"
    start = np.load(path)
    start[1], start[2] = start[2], start[1]
    np.save(path, start)
    _edit(folder, files=_digests(folder))


def _spoiled(name: str, value: object) -> Callable[[Path], None]:
    """Return a harm: the first value of a well-sealed array is another one, of the type of that value."""

    def harm(folder: Path) -> None:
        path = folder / f"{name}.npy"
        array = np.load(path).astype(np.asarray(value).dtype)
        array[0] = value
        np.save(path, array)
        _edit(folder, files=_digests(folder))

    harm.__name__ = f"{name} {value!r}"
    return harm


def _no_zone(folder: Path) -> None:
    _edit(folder, zone="Mars/Olympus")


def _other_tags(folder: Path) -> None:
    _edit(folder, tags=["vip"])


def _text_column_lost(folder: Path) -> None:
    _edit(folder, text_features=["tier", "city", "colour"])


def _edit(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / MANIFEST).read_text()) | changes
    (folder / MANIFEST).write_text(json.dumps(manifest))


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: file_digest(path) for path in folder.iterdir() if path.name != MANIFEST}


@pytest.mark.parametrize(
    "harm",
    [
        _truncate,
        _flip,
        _remove,
        _unseal,
        _other_format,
        _lacks_a_key,
        _other_counts,
        _other_reasons,
        _wild_rows,
        _short_column,
        _falling_starts,
        _no_zone,
        _other_tags,
        _text_column_lost,
        _spoiled("product_category", np.int32(7)),
        _spoiled("repurchase_next", np.int32(7)),
        _spoiled("repurchase_next", np.int32(-2)),
        _spoiled("product_category", np.int32(-1)),
        _spoiled("product_brand", np.int32(4)),
        _spoiled("product_brand", np.int32(-2)),
        _spoiled("popular", np.int32(60)),
        _spoiled("recommend_reason", np.int8(len(Reason))),
        _spoiled("recommend_reason", np.int8(-1)),
        _spoiled("recommend_product", np.float64(1)),
        _spoiled("product_price", np.int64(1)),
        _spoiled("member_keys", np.float64(1)),
        _spoiled("churn_score", np.complex128(1)),
        _spoiled("value_margin", np.complex128(1)),
    ],
)
def test_a_broken_folder_is_refused(folder: Path, harm: object) -> None:
    assert callable(harm)
    harm(folder)
    with pytest.raises(ArtifactError):
        Publication.open(folder)


@pytest.mark.parametrize("frame", sorted(COLUMNS))
def test_a_content_that_lacks_a_column_is_refused_by_name(tmp_path: Path, frame: str) -> None:
    made = with_challenger()
    last = COLUMNS[frame][0]
    broken = made.having(frame, made.table(frame).drop(columns=[last]))
    with pytest.raises(ArtifactError, match=f"{frame} lacks {last}"):
        write_publication(tmp_path, broken)
    assert current(tmp_path) is None


def test_a_challengers_lists_stand_beside_the_champions(tmp_path: Path, folder: Path) -> None:
    other, tried = content(seed=1), with_challenger()
    publication = Publication.open(write_publication(tmp_path, tried))
    assert Publication.open(folder).challenger is None
    assert publication.challenger is not None
    assert (publication.champion.version, publication.challenger.version) == ("1", "2")
    row = publication.members.row(member_id(4))
    assert row is not None
    for lists, made in ((publication.champion, content()), (publication.challenger, other)):
        listed = made.recommend[made.recommend["member_id"] == member_id(4)].sort_values("score", ascending=False)
        products = lists.recommend.other[lists.recommend.span(row)]
        assert [publication.products.text(int(product)) for product in products] == listed["product_id"].tolist()
    again = with_challenger(version="3")
    assert write_publication(tmp_path, again) != publication.folder


def test_ids_that_come_twice_and_unknown_reasons_are_refused(tmp_path: Path) -> None:
    made = content()
    with pytest.raises(ArtifactError, match="not unique"):
        write_publication(tmp_path, dataclasses.replace(made, churn=pd.concat([made.churn, made.churn])))
    with pytest.raises(ArtifactError, match="because"):
        write_publication(tmp_path, dataclasses.replace(made, recommend=made.recommend.assign(reason="because")))


@pytest.mark.parametrize(("frame", "column"), [(frame, column) for frame in FINITE for column in FINITE[frame]])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_refused_by_name(tmp_path: Path, frame: str, column: str, value: float) -> None:
    made = with_challenger()
    table = made.table(frame).astype({column: float}).reset_index(drop=True)
    table.loc[1, column] = value
    with pytest.raises(ArtifactError, match=rf"{frame}\.{column} is not finite in 1 row"):
        write_publication(tmp_path, made.having(frame, table))
    assert current(tmp_path) is None


def test_a_tag_nobody_has_words_for_is_refused(tmp_path: Path) -> None:
    made = content()
    members = made.members.assign(tags=pd.Series([["vip"]] * MEMBERS))
    with pytest.raises(ArtifactError, match="vip"):
        write_publication(tmp_path, dataclasses.replace(made, members=members))


def test_a_content_of_nothing_can_be_published(tmp_path: Path) -> None:
    made = content()
    empty = dataclasses.replace(made, factors=None, opted_out=())
    for name in made.frames:
        empty = empty.having(name, made.table(name).iloc[:0])
    publication = Publication.open(write_publication(tmp_path, empty))
    assert len(publication.members) == len(publication.products) == 0
    assert publication.members.row("x") is None
    assert not publication.refused("x")


def test_discoveries_stand_best_first_with_their_reasons_and_are_cut(tmp_path: Path) -> None:
    made = content()
    publication = Publication.open(write_publication(tmp_path, made, keep_discoveries=4))
    row = publication.members.row(member_id(4))
    assert row is not None
    given = made.discovery[made.discovery["member_id"] == member_id(4)].nlargest(4, "score")
    span = publication.discovery.span(row)
    assert [publication.products.text(r) for r in publication.discovery.other[span]] == given["product_id"].tolist()
    assert [publication.discovery_reason(at) for at in range(span.start, span.stop)] == given["reason"].tolist()


def test_price_bands_and_attributes_stand_with_their_member(folder: Path) -> None:
    publication = Publication.open(folder)
    rows = [row for row in map(publication.members.row, (member_id(4), member_id(5))) if row is not None]
    assert [publication.member_attributes(row) for row in rows] == [{"survey": "sleep"}, {}]
    low, high = (publication.price_band[name][rows] for name in ("low", "high"))
    np.testing.assert_allclose(low, [np.nan, 0.9])
    np.testing.assert_allclose(high, [np.nan, 1.6])
    found = (publication.products.row(product_id(n)) for n in (0, 9, 11))
    products = [row for row in found if row is not None]
    np.testing.assert_allclose(publication.product_numbers["consumable"][products], [1, 0, np.nan])
    np.testing.assert_allclose(publication.product_numbers["price_level"][products], [0.5, 2.5, np.nan])


def test_what_is_on_sale_does_not_depend_on_stock(folder: Path) -> None:
    publication = Publication.open(folder)
    rows = {n: publication.products.row(product_id(n)) for n in range(60)}
    assert {n for n, row in rows.items() if not publication.on_sale[row]} == {7, 8}
