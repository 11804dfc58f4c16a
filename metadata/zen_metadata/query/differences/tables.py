"""Two tables: their columns, how many rows differ, and how the numbers in them moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zen_core.contract.values import to_json
from zen_metadata.artifacts.digests import token_of
from zen_metadata.query.differences.changes import compare_values, same_value

MOST_CELLS = 20_000_000
"""Larger tables are compared by what is recorded of them: a small file may hold a very large one."""
_STATISTICS = ("mean", "min", "max", "nulls")


def recorded_table(serializer: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What is recorded of a table: `rows`, and `columns` with their dtypes as far as they are known."""
    if serializer == "arrow":
        return {"rows": metadata.get("rows"), "columns": dict.fromkeys(metadata.get("columns", ()), "")}
    shape = metadata.get("shape") or [None]
    return {"rows": shape[0], "columns": dict(metadata.get("columns") or {})}


def compare_recorded(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Two tables by what is recorded of them: `rows` (before, after) and `columns` (added, removed, changed)."""
    return {
        "rows": {"before": before["rows"], "after": after["rows"]},
        "columns": compare_values(before["columns"], after["columns"]).to_json(),
    }


def cell_count(serializer: str, metadata: Mapping[str, Any]) -> int:
    """How many cells a table has, by what is recorded of it."""
    shape = metadata.get("shape") or [metadata.get("rows") or 0, len(metadata.get("columns", ()))]
    count = 1
    for length in shape:
        count *= max(length, 1)
    return count


def as_frame(value: Any) -> Any:
    """A frame of what is stored as a table: a frame, a series, an index or a pyarrow table. Its labels are texts."""
    import pandas

    if hasattr(value, "to_pandas"):
        value = value.to_pandas()
    if isinstance(value, pandas.Series):
        value = value.to_frame(value.name if value.name is not None else "value")
    elif isinstance(value, pandas.Index):
        value = value.to_frame(index=False)
    return value.set_axis([str(label) for label in value.columns], axis=1)


def compare_frames(before: Any, after: Any) -> dict[str, Any]:
    """Two frames, of `as_frame`.

    Returns:
        `rows`, `columns` as `compare_recorded`; `row_changes`: how many rows of the columns that both have were
        `added`, `removed`, `changed` or only `moved`, and by what rows were `matched` (index, position or content);
        `statistics`: mean, min, max and number of nulls of each column in which one of them differs.
    """
    schemas = ({label: str(dtype) for label, dtype in zip(frame.columns, frame.dtypes, strict=True)}
               for frame in (before, after))  # fmt: skip
    document = {
        "rows": {"before": len(before), "after": len(after)},
        "columns": compare_values(*schemas).to_json(),
    }
    if not (before.columns.is_unique and after.columns.is_unique):
        return document
    common = [label for label in before.columns if label in set(after.columns)]
    if common:
        document["row_changes"] = _compare_rows(before[common], after[common])
        document["statistics"] = _compare_statistics(before[common], after[common])
    return document


# -- rows ------------------------------------------------------------------------------------------------------------


def _compare_rows(before: Any, after: Any) -> dict[str, Any]:
    left, right = _hash_rows(before, after)
    if before.index.is_unique and after.index.is_unique and not (_is_plain(before.index) and _is_plain(after.index)):
        places = after.index.get_indexer(before.index)
        kept = places >= 0
        if kept.any():
            return _counts(
                "index",
                added=len(after) - int(kept.sum()),
                removed=int((~kept).sum()),
                changed=int((left[kept] != right[places[kept]]).sum()),
                moved=int((places[kept][1:] < places[kept][:-1]).sum()),
            )
    shorter = min(len(left), len(right))
    in_place = int((left[:shorter] != right[:shorter]).sum())
    added, removed = _count_contents(left, right)
    if not added and not removed and in_place:
        return _counts("content", moved=in_place)
    # A row that changed where it stands is one that went and one that came, for those who look at contents alone.
    if in_place + abs(len(left) - len(right)) <= added + removed:
        more = len(right) - len(left)
        return _counts("position", added=max(more, 0), removed=max(-more, 0), changed=in_place)
    return _counts("content", added=added, removed=removed)


def _counts(matched: str, *, added: int = 0, removed: int = 0, changed: int = 0, moved: int = 0) -> dict[str, Any]:
    return {"added": added, "removed": removed, "changed": changed, "moved": moved, "matched": matched}


def _is_plain(index: Any) -> bool:
    """Whether an index only counts the rows, so that its labels name no row."""
    import pandas

    return isinstance(index, pandas.RangeIndex) and index.start == 0 and index.step == 1


def _count_contents(left: Any, right: Any) -> tuple[int, int]:
    """How many rows are in one of them only, repeated ones counted."""
    import pandas

    surplus = pandas.Series(right).value_counts().sub(pandas.Series(left).value_counts(), fill_value=0)
    return int(surplus[surplus > 0].sum()), int(-surplus[surplus < 0].sum())


def _hash_rows(before: Any, after: Any) -> tuple[Any, Any]:
    """A number for each row, equal for equal rows, also where a column has another dtype in one of them."""
    import pandas

    columns = {label: _alike(before[label], after[label]) for label in before.columns}
    frames = (pandas.DataFrame({label: pair[side] for label, pair in columns.items()}) for side in (0, 1))
    left, right = (pandas.util.hash_pandas_object(frame, index=False).to_numpy() for frame in frames)
    return left, right


def _alike(before: Any, after: Any) -> tuple[Any, Any]:
    before, after = before.reset_index(drop=True), after.reset_index(drop=True)
    if before.dtype != after.dtype:
        if _is_real(before.dtype) and _is_real(after.dtype):
            return before.astype("Float64"), after.astype("Float64")
        return _tokens(before), _tokens(after)
    return (_tokens(before), _tokens(after)) if before.dtype == object else (before, after)


def _tokens(column: Any) -> Any:
    """Objects, by what they consist of: pandas hashes texts alone."""
    return column.astype(object).map(lambda item: item if isinstance(item, str) else token_of(item).hex())


# -- statistics ------------------------------------------------------------------------------------------------------


def _compare_statistics(before: Any, after: Any) -> dict[str, Any]:
    left, right = _statistics(before), _statistics(after)
    found: dict[str, Any] = {}
    for label in before.columns:
        pairs = {
            name: {"before": left[label].get(name), "after": right[label].get(name)}
            for name in _STATISTICS
            if name in left[label] or name in right[label]
        }
        differing = {name: pair for name, pair in pairs.items() if not same_value(pair["before"], pair["after"])}
        if differing:
            found[label] = differing
    return found


def _statistics(frame: Any) -> dict[str, dict[str, Any]]:
    """By column: the number of nulls; of numbers the mean, and of numbers and times the smallest and the largest."""
    from pandas.api.types import is_datetime64_any_dtype

    nulls = frame.isna().sum()
    found: dict[str, dict[str, Any]] = {}
    for label in frame.columns:
        column = frame[label]
        found[label] = {"nulls": int(nulls[label])}
        if len(column) == nulls[label]:
            continue
        if is_datetime64_any_dtype(column.dtype):
            found[label] |= {"min": column.min().isoformat(), "max": column.max().isoformat()}
        elif _is_real(column.dtype):
            numbers = {"mean": column.mean(), "min": column.min(), "max": column.max()}
            found[label] |= {name: _number(value) for name, value in numbers.items()}
    return found


def _is_real(dtype: Any) -> bool:
    from pandas.api.types import is_complex_dtype, is_numeric_dtype

    return bool(is_numeric_dtype(dtype)) and not is_complex_dtype(dtype)


def _number(value: Any) -> Any:
    plain = value.item() if hasattr(value, "item") else value
    return to_json(plain) if isinstance(plain, (bool, int, float)) else str(plain)
