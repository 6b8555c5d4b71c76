import csv
import gzip
import io
import shutil
import zlib
from pathlib import Path
from typing import TextIO

from recsys.core.errors import TableError
from recsys.data.engine import quoted
from recsys.data.mapping import FilesSource

DELIMITERS = (",", ";", "\t", "|")


def csv_relation(table: str, file: Path, source: FilesSource, work: Path) -> str:
    """Return SQL of a CSV file whose columns are all text; lines that do not fit the header are noted aside.

    work: folder for a copy in UTF-8, where the file has another encoding.
    Raises `TableError` when the file cannot be read, has no header or is not in the encoding that was said.
    """
    try:
        if source.encoding.lower() not in ("utf-8", "utf8"):
            file = _in_utf8(file, source.encoding, work)
        header, delimiter = _header(table, file, source.delimiter)
    except UnicodeError as error:
        raise TableError(table, f"{file.name} is not in {source.encoding}: set source.encoding") from error
    except LookupError as error:
        raise TableError(table, f"source.encoding {source.encoding} is unknown") from error
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(table, f"{file.name} cannot be read: {error}") from error
    except csv.Error as error:
        raise TableError(table, f"{file.name} has no readable header: {error}") from error
    columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in header)
    return (
        f"read_csv({quoted(str(file))}, columns = {{{columns}}}, header = true, auto_detect = false, "
        f"""delim = {quoted(delimiter)}, quote = '"', escape = '"', store_rejects = true)"""
    )


def _open(file: Path, encoding: str) -> TextIO:
    if file.suffix == ".gz":
        return io.TextIOWrapper(gzip.GzipFile(file), encoding=encoding, newline="")
    return file.open(encoding=encoding, newline="")


def _in_utf8(file: Path, encoding: str, work: Path) -> Path:
    copy = work / file.name.removesuffix(".gz")
    with _open(file, encoding) as old, copy.open("w", encoding="utf-8", newline="") as new:
        shutil.copyfileobj(old, new)
    return copy


def _header(table: str, file: Path, delimiter: str | None) -> tuple[list[str], str]:
    with _open(file, "utf-8-sig") as lines:
        first = lines.readline()
        if not first.strip():
            raise TableError(table, f"{file.name} is empty: it has not even a header")
        chosen = delimiter or max(DELIMITERS, key=first.count)
        lines.seek(0)
        names = next(csv.reader(lines, delimiter=chosen))
    header = [name.strip() or f"column{number}" for number, name in enumerate(names)]
    repeated = next((name for name in header if header.count(name) > 1), None)
    if repeated is not None:
        raise TableError(table, f"{file.name} has two columns {repeated}")
    return header, chosen
