from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc


def save_table(folder: Path, name: str, table: pa.Table) -> None:
    """Write text columns as one batch of an Arrow file, which `Texts` reads; null = unknown."""
    columns: dict[str, Any] = {name: table.column(name).cast(pa.large_string()) for name in table.column_names}
    wide = pa.table(columns)
    with pa.ipc.new_file(str(folder / f"{name}.arrow"), wide.schema) as file:
        file.write_table(wide.combine_chunks(), max_chunksize=max(1, len(wide)))
