"""Write an export as Parquet files with the images in them."""

import json
from array import array
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from timecoverspider.exceptions import ExportError
from timecoverspider.exports.formats.contents import DataFile, data_file
from timecoverspider.exports.formats.imagefolder import line
from timecoverspider.exports.formats.originals import Original
from timecoverspider.exports.formats.table import Column, Table

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

FOLDER = "data"
IMAGE = "image"  # the column
_SHARD = 500_000_000  # bytes of images in a file
_GROUP = 16_000_000  # bytes of images in a row group, which readers load at once; at most 100 MB
_ROWS = 1_000  # in a row group at most, if images are small


def check_installed() -> None:
    """Raise ExportError if pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415 (optional, and slow to import)
    except ImportError as error:
        raise ExportError('Parquet needs pyarrow: pip install -e ".[parquet]"') from error


def write(folder: Path, table: Table, originals: Iterable[Original]) -> list[DataFile]:
    """Write files of about 500 MB: the column ``image`` with the bytes and the name of each image, and the others.

    Raises: OSError.
    """
    (folder / FOLDER).mkdir()
    schema, files, groups = _schema(table.columns), list[Path](), _groups(originals)
    group = next(groups, None)
    while group:
        files.append(folder / FOLDER / f"train-{len(files):05}.parquet")
        with _open(files[-1], schema) as writer:
            written = 0
            while group and (not written or written + _size(group) <= _SHARD):
                writer.write_table(_to_arrow(group, schema))
                written += _size(group)
                group = next(groups, None)
    named = (file.rename(file.with_stem(f"{file.stem}-of-{len(files):05}")) for file in files)
    return [data_file(folder, file) for file in named]


def _groups(originals: Iterable[Original]) -> Iterator[list[Original]]:
    """Yield the images of each row group."""
    group, size = list[Original](), 0
    for original in originals:
        if group and (size + len(original.content) > _GROUP or len(group) == _ROWS):
            yield group
            group, size = [], 0
        group.append(original)
        size += len(original.content)
    if group:
        yield group


def _size(group: Iterable[Original]) -> int:
    return sum(len(original.content) for original in group)


def _open(file: Path, schema: "pyarrow.Schema") -> "ParquetWriter":
    """Open a Parquet file for writing. Images are neither compressed nor collected in a dictionary: they do not shrink.

    Statistics of images would be of no use. With the page index, a reader finds single rows without reading the rest.
    """
    from pyarrow.parquet import ParquetWriter  # noqa: PLC0415 (optional, and slow to import)

    others = [name for name in schema.names if name != IMAGE]
    return ParquetWriter(
        file,
        schema,
        compression={**dict.fromkeys(others, "snappy"), f"{IMAGE}.bytes": "none", f"{IMAGE}.path": "snappy"},
        use_dictionary=others,
        write_statistics=others,
        write_page_index=True,
    )


def _schema(columns: Iterable[Column]) -> "pyarrow.Schema":
    import pyarrow as pa  # noqa: PLC0415

    types = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_()}
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [(column.name, {**types, "date32": pa.date32()}[column.kind]) for column in columns]
    info = json.dumps({"info": {"features": features(columns)}})
    return pa.schema([(IMAGE, image), *fields], metadata={"huggingface": info})


def features(columns: Iterable[Column]) -> dict[str, Any]:
    """Return the columns as the library ``datasets`` describes them."""
    values = {column.name: {"dtype": column.kind, "_type": "Value"} for column in columns}
    return {IMAGE: {"_type": "Image"}, **values}


def _to_arrow(group: list[Original], schema: "pyarrow.Schema") -> "pyarrow.Table":
    """Return a row group.

    Without pyarrow.array, which imports pandas if pandas is installed: 0.24 s of the 1.5 s for 4,763 covers.
    """
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import json as pa_json  # noqa: PLC0415

    lines = "".join(line(PurePosixPath(original.row.file_name).name, original.row) for original in group).encode()
    names_and_columns = [("file_name", pa.string()), *zip(schema.names[1:], schema.types[1:], strict=True)]
    in_json = pa.schema([(name, pa.string() if kind == pa.date32() else kind) for name, kind in names_and_columns])
    columns = pa_json.read_json(
        BytesIO(lines),
        pa_json.ReadOptions(use_threads=False, block_size=len(lines)),
        pa_json.ParseOptions(explicit_schema=in_json),
    ).cast(pa.schema(names_and_columns))
    offsets = array("i", accumulate((len(original.content) for original in group), initial=0))
    content = b"".join(original.content for original in group)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(content)]
    contents = pa.Array.from_buffers(pa.binary(), len(group), buffers)
    names = columns["file_name"].combine_chunks()
    image = pa.StructArray.from_arrays([contents, names], fields=list(schema.field(IMAGE).type))
    return pa.Table.from_arrays([image, *(columns[name] for name in schema.names[1:])], schema=schema)
