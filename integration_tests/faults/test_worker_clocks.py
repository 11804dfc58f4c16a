"""Workers whose clocks are wrong by hours, either way: who takes over, which version counts, what is lost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from integration_tests.faults.matrix import CHECK, PAIR, SYNC, TELL, Matrix
from integration_tests.services.postgres import PostgresServer

FIVE_HOURS = 5 * 3600.0
KILLED = {"point": "create user code ends", "nth": 1, "action": "kill"}
OTHER_RUN = {"action": "step", "with": {"step": "pair", "key": "other"}}
FRESH = {"action": "step", "with": {"step": "pair", "key": "fresh", "size": 3}}


def test_sqlite_whose_host_sets_its_clock(tmp_path: Path) -> None:
    """The host's clock is the store's. A holder that was killed keeps nobody waiting, whenever its lease expires."""
    for found in Matrix(tmp_path).play(phases(FIVE_HOURS, steady=False), phases(-FIVE_HOURS, steady=False)):
        look_at(found)


def test_postgresql_takes_no_workers_word_for_the_time(postgres: PostgresServer, tmp_path: Path) -> None:
    """All times are the database's: also the order of versions and of runs, and when a lease expires."""
    urls = {name: postgres.create_database(f"clocks_{name[-1]}") for name in ("faults_case_0", "faults_case_1")}
    try:
        matrix = Matrix(tmp_path, lambda name, template: urls[name])
        for found in matrix.play(phases(FIVE_HOURS, steady=True), phases(-FIVE_HOURS, steady=True)):
            assert look_at(found) == ["fresh", "other", "main"]
    finally:
        for name in urls:
            postgres.drop_database(f"clocks_{name[-1]}")


def phases(wrong: float, *, steady: bool) -> list[Mapping[str, Any]]:
    """One is killed at work; another run wants the same; then the first one's retry; each by a clock of its own."""
    check = {"action": CHECK["action"], "with": {**CHECK["with"], "steady": steady}}
    return [
        {"actions": [PAIR], "fault": KILLED, "clock": wrong},
        {"actions": [OTHER_RUN]},
        {"actions": [PAIR], "clock": -wrong},
        {"actions": [FRESH], "clock": wrong / 2},
        {"actions": [SYNC, TELL, check, {"action": "order"}]},
    ]


def look_at(found: Mapping[str, Any]) -> list[str]:
    """What must be in any case; answers with the order of the runs."""
    killed, *others = found["answers"]
    assert killed["killed"] == 9
    assert [other.get("error") for other in others] == [None] * 4, others
    *_, standing, violations, order = others[-1]["answer"]
    assert violations == []
    assert found["ran"] == 3  # by the killed one, by the other run that took its work over, and by the fresh run
    assert standing == {"steps": {"pair[None]": "cached"}, "versions": {"numbers": 2, "text": 2}}
    return list(order)
