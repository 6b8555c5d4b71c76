import pytest

from recsys.data.schema import STORED, Table


@pytest.fixture(params=sorted(STORED))
def table(request: pytest.FixtureRequest) -> Table:
    return STORED[request.param]


def test_names_are_unique_and_what_a_table_speaks_of_exists(table: Table) -> None:
    names = [column.name for column in table.stored]
    assert len(set(names)) == len(names)
    spoken = {*table.key, *table.group, *table.either, *filter(None, (table.time, table.version))}
    assert spoken <= {column.name for column in table.columns}


def test_only_tables_of_what_happened_have_a_day(table: Table) -> None:
    assert ("day" in {column.name for column in table.derived}) == (table.time is not None)
    assert ("hour" in {column.name for column in table.derived}) == (table.name == "orders")


def test_a_column_is_found_by_its_name(table: Table) -> None:
    assert table.column(table.stored[-1].name) is table.stored[-1]
    with pytest.raises(KeyError):
        table.column("nothing")


def test_every_column_says_what_it_means(table: Table) -> None:
    assert all(column.meaning for column in table.stored)
    assert table.meaning
