"""Files of score rows, as Parquet: each row with where it comes from, written once and read together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from pipeline.known_manifests import READERS
from pipeline.store import ArtifactStore

if TYPE_CHECKING:
    import pyarrow as pa

    from evaluation.results import ResultRow


@dataclass(frozen=True, slots=True)
class Origin:
    """What was scored, and how: beside the score's own row.

    `lineage` is the key of the manifest of the score, `predictions` and `contributions` those of files,
    `checkpoint_key` that of the checkpoint's manifest (`export`, or `ingest` for a model from outside).
    `checkpoint_step` (updates), `trained_tokens`, `languages`, `alpha` and `parameters` are those of pretraining; None
    for a model from outside.  So are `release` (the name of the text's release), `batch_blocks` (blocks of an update)
    and `only_language` (where there was one), which rows of earlier versions do not have.  `hardware` is what the
    fine-tuning ran on, `seconds` its wall-clock time with all else that the unit did (of a killed one, the attempt that
    ended it), `written_at` its end (ISO 8601, UTC).
    """

    lineage: str = ""
    predictions: str = ""
    contributions: str = ""
    checkpoint_name: str = ""
    checkpoint_key: str = ""
    checkpoint_step: int | None = None
    trained_tokens: int | None = None
    languages: int | None = None
    alpha: float | None = None
    parameters: int | None = None
    release: str = ""
    batch_blocks: int | None = None
    only_language: str = ""
    model_family: str = ""
    vocabulary_size: int | None = None
    hidden_size: int | None = None
    layers: int | None = None
    finetuning: str = ""
    code_version: str = ""
    hardware: str = ""
    seconds: float = 0.0
    written_at: str = ""


ORIGIN_FIELDS = tuple(field.name for field in fields(Origin))
Known = dict[str, dict[Any, Any]]  # field -> its values


@dataclass(frozen=True, slots=True)
class StoredResult:
    """One score (evaluation.results.ResultRow) and where it comes from; a row of the Parquet files has both's fields.

    `row.checkpoint` is the digest of the weights, `row.data` that of the benchmark's files, `row.config` that of the
    settings, `row.code` that of the evaluation code, `row.max_tokens` the longest row that the model was given.
    """

    row: ResultRow
    origin: Origin


def to_parquet(rows: Sequence[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    from evaluation.results import ResultRow

    kinds = {"str": pa.string(), "int": pa.int64(), "bool": pa.bool_(), "float": pa.float64(),
             "tuple[str, ...]": pa.list_(pa.string()), "tuple[float, ...]": pa.list_(pa.float64())}  # fmt: skip
    named = [field for kind in (ResultRow, Origin) for field in fields(kind)]
    schema = pa.schema([(field.name, kinds[str(field.type).removesuffix(" | None")]) for field in named])
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist(list(rows), schema), sink)
    return bytes(sink.getvalue())


def read_rows(
    store: ArtifactStore, keys: Sequence[str], known: Known, wanted: Mapping[str, object] | None = None
) -> list[list[StoredResult]]:
    """The rows of each of these files, also of a version that knew fewer fields.

    Of a value in `known` no second copy is kept.  `wanted`: rows whose fields have other values are left out, where
    the file has the field; a collection means any of its values.
    """
    import pyarrow as pa

    with ThreadPoolExecutor(READERS) as pool:
        tables = [_table(data, wanted or {}) for data in pool.map(store.get, keys)]
    alike: dict[tuple[str, ...], list[int]] = {}
    for place, table in enumerate(tables):
        alike.setdefault(tuple(table.column_names), []).append(place)
    found: list[list[StoredResult]] = [[]] * len(tables)
    for places in alike.values():  # values become Python's once for all files
        rows = iter(_results(pa.concat_tables([tables[place] for place in places]), known))
        for place in places:
            found[place] = [next(rows) for _ in range(tables[place].num_rows)]
    return found


def _table(data: bytes, wanted: Mapping[str, object]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as compute
    import pyarrow.parquet as parquet

    # Without Arrow's threads: a file is small, and a command that ends at once must not end while one of them starts.
    table = parquet.ParquetFile(pa.BufferReader(data), pre_buffer=False).read(use_threads=False)
    for name in set(wanted) & set(table.column_names):
        column, value = table[name], wanted[name]
        values = list(value) if isinstance(value, Collection) and not isinstance(value, str) else [value]
        table = table.filter(compute.is_in(column, value_set=pa.array(values, column.type)))
    return table


def _results(table: pa.Table, known: Known) -> list[StoredResult]:
    from evaluation.results import BEFORE_VERSION_2, LISTS, ROW_FIELDS, ResultRow

    columns = {name: [value] * table.num_rows for name, value in BEFORE_VERSION_2.items()}
    for name, column in zip(table.column_names, table.columns, strict=True):
        same = known.setdefault(name, {})
        if name in LISTS:
            columns[name] = [
                same.setdefault(value, value) for value in (tuple(each or ()) for each in column.to_pylist())
            ]
        else:
            columns[name] = _values(column, same)
    made = []
    for kind, fields_of in ((ResultRow, ROW_FIELDS), (Origin, ORIGIN_FIELDS)):
        names = [name for name in fields_of if name in columns]
        rows = zip(*map(columns.get, names), strict=True)
        if len(names) == len(fields_of):
            made.append([kind(*row) for row in rows])
        else:
            made.append([kind(**dict(zip(names, row, strict=True))) for row in rows])
    return list(map(StoredResult, *made))


def _values(column: pa.ChunkedArray, same: dict[Any, Any]) -> list[Any]:
    """Each different value is made once; of null None."""
    encoded = column.combine_chunks().dictionary_encode()
    different = [*(same.setdefault(value, value) for value in encoded.dictionary.to_pylist()), None]
    return [different[place] for place in encoded.indices.fill_null(-1).to_pylist()]
