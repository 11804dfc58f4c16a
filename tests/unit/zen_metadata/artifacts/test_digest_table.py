"""The digests of values of every kind, in fresh processes with other hash seeds: see digest_values.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("digest_values.py")
SEEDS = ("0", "1", "4242")
ONE_VALUE = {"places: folder", "places: folder with a link to a file"}
"""A link to a file counts as the file."""

Found = dict[str, dict[str, list[str]]]


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    """What each process found, by group and by how the digest is taken."""
    running = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), str(tmp_path_factory.mktemp(f"seed-{seed}"))],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in SEEDS
    ]
    outputs = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0] * len(SEEDS), outputs[0][1][-2000:]
    return [json.loads(output) for output, _ in outputs]


def test_every_process_finds_the_same_digests(processes: list[Found]) -> None:
    first, *others = processes

    assert len(first) > 230
    for other in others:
        assert {name for name in first if first[name] != other[name]} == set()


@pytest.mark.parametrize("how", ["stored", "part"])
def test_equal_values_have_one_digest(processes: list[Found], how: str) -> None:
    assert {name for name, found in processes[0].items() if len(set(found.get(how, ()))) > 1} == set()


@pytest.mark.parametrize("how", ["stored", "part"])
def test_different_values_have_different_digests(processes: list[Found], how: str) -> None:
    names_by_digest = defaultdict(set)
    for name, found in processes[0].items():
        for digest in found.get(how, ()):
            names_by_digest[digest].add(name)

    assert [names for names in names_by_digest.values() if len(names) > 1 and names != ONE_VALUE] == []
