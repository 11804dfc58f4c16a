"""Values as JSON and back, and digests of them, for any value."""

import datetime
import json
import math
import string
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from zen_core.contract.canonical import canonical_json, digest_json
from zen_core.contract.values import digest_value, from_json, to_json

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.dates()
    | st.times().map(lambda moment: moment.replace(fold=0))
    | st.datetimes(timezones=st.none() | st.just(datetime.UTC)).map(lambda moment: moment.replace(fold=0))
    | st.timedeltas()
    | st.uuids()
)
KEYS = st.text() | st.integers() | st.just("$zen")
HASHABLE = st.recursive(SCALARS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=4)
VALUES = st.recursive(
    SCALARS | HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.sets(HASHABLE, max_size=3)
    ),
    max_leaves=12,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _shape(value: Any) -> Any:
    """The value with the type of each part beside it, so that 1, True and 1.0 differ, and so do 0.0 and -0.0."""
    if isinstance(value, dict):
        return ("dict", sorted((repr((_shape(key), _shape(item))) for key, item in value.items())))
    if isinstance(value, (set, frozenset)):
        return (type(value).__name__, sorted(repr(_shape(item)) for item in value))
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, [_shape(item) for item in value])
    return (type(value).__name__, repr(value))


@given(VALUES)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert _shape(from_json(json.loads(canonical_json(to_json(value))))) == _shape(value)


@given(VALUES)
def test_the_digest_of_what_comes_back_is_the_same(value: Any) -> None:
    assert digest_value(from_json(to_json(value))) == digest_value(value)


@given(VALUES, VALUES)
def test_two_values_share_a_digest_only_when_they_are_one(one: Any, other: Any) -> None:
    assert (digest_value(one) == digest_value(other)) == (_shape(one) == _shape(other))


@given(JSON)
def test_the_order_of_keys_does_not_count(value: Any) -> None:
    def reverse(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: reverse(item) for key, item in reversed(part.items())}
        return [reverse(item) for item in part] if isinstance(part, list) else part

    assert digest_json("value", reverse(value)) == digest_json("value", value)
    assert canonical_json(reverse(value)) == canonical_json(value)


@given(JSON)
def test_the_canonical_text_reads_back(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(st.lists(st.text(alphabet=string.ascii_lowercase, max_size=4), max_size=4), st.integers(0, 3))
def test_where_a_text_ends_counts(texts: list[str], cut: int) -> None:
    """`["ab", "c"]` is not `["a", "bc"]`."""
    moved = list(texts)
    if len(moved) >= 2:
        whole = moved[0] + moved[1]
        moved[:2] = [whole[:cut], whole[cut:]]
    assert (digest_value(texts) == digest_value(moved)) == (texts == moved)


@given(st.floats(allow_nan=True))
def test_every_float_has_a_digest_and_nan_is_nan(value: float) -> None:
    assert digest_value(value) == digest_value(float(repr(value)))
    assert (digest_value(value) == digest_value(math.nan)) == math.isnan(value)
