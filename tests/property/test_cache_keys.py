"""Collision probes: two keys are equal only if everything that they are made of is."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from zen_core.contract.cache_key import compute_cache_key

# Few and awkward texts, so that the same ones meet in several places.
TEXTS = st.sampled_from(["", "a", "b", "a:b", ":", "input:a", "salt", "1", "null", "a,b", '"', "é", "\x00"])
PARTS = st.dictionaries(TEXTS, TEXTS, max_size=3)
KEYS = st.fixed_dictionaries(
    {
        "code": TEXTS,
        "inputs": PARTS,
        "outputs": PARTS,
        "packages": PARTS,
        "all_packages": TEXTS,
        "files": PARTS,
        "environment": st.dictionaries(TEXTS, st.none() | TEXTS, max_size=3),
        "salt": TEXTS,
    }
)


@given(KEYS, KEYS)
def test_equal_keys_are_made_of_equal_parts(left: dict[str, Any], right: dict[str, Any]) -> None:
    first, second = compute_cache_key(**left), compute_cache_key(**right)
    assert (first.key == second.key) == (left == right)


@given(KEYS)
def test_what_moves_from_one_part_to_another_makes_another_key(made_of: dict[str, Any]) -> None:
    own = compute_cache_key(**made_of).key
    for one, other in itertools.permutations(("inputs", "outputs", "packages", "files", "environment"), 2):
        swapped = {**made_of, one: made_of[other], other: made_of[one]}
        if swapped != made_of and None not in swapped[one].values() and None not in swapped[other].values():
            assert compute_cache_key(**swapped).key != own


@given(KEYS, st.randoms(use_true_random=False))
def test_the_order_of_parts_does_not_count(made_of: dict[str, Any], random: Any) -> None:
    shuffled = {
        name: dict(random.sample(list(part.items()), len(part))) if isinstance(part, dict) else part
        for name, part in made_of.items()
    }
    assert compute_cache_key(**shuffled).key == compute_cache_key(**made_of).key
