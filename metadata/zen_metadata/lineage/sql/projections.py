"""What is remembered on behalf of others: links, replayed events, pins, digests of files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, or_, select, update

from zen_metadata.lineage.sql.database import Database
from zen_metadata.lineage.sql.liveness import all_live, ask_live
from zen_metadata.lineage.sql.retention import PIN
from zen_metadata.lineage.sql.statements import ListStatement, Statement, insert_new
from zen_metadata.lineage.sql.tables import applied_events, file_digests, links
from zen_metadata.lineage.sql.transaction import Transaction

_POLL_SECONDS = 0.05

_OF_LINK = (links.c.tracker == bindparam("of_tracker")) & (links.c.subject_id == bindparam("of_subject"))
_FIND_LINK = Statement(select(links.c.external_id, links.c.claimant, links.c.claim_expires_at).where(_OF_LINK))
_INSERT_LINK = insert_new(links)
_CLAIM_LINK = Statement(
    update(links).where(
        _OF_LINK,
        links.c.external_id.is_(None),
        or_(
            links.c.claimant.is_(None),
            links.c.claimant == bindparam("by"),
            links.c.claim_expires_at <= bindparam("at", type_=links.c.claim_expires_at.type),
        ),
    ),
    ("claimant", "claim_expires_at"),
)
_SAVE_LINK = Statement(update(links).where(_OF_LINK, links.c.external_id.is_(None)), ("external_id",))
_DROP_LINK = Statement(
    update(links).where(_OF_LINK, links.c.external_id == bindparam("of_external")), ("external_id", "claimant")
)
_FIND_LINKS = ListStatement(
    lambda items: select(links.c.subject_id, links.c.external_id).where(
        links.c.tracker == bindparam("of_tracker"), links.c.subject_id.in_(items), links.c.external_id.is_not(None)
    )
)

_EVENT_APPLIED = Statement(select(applied_events.c.event_id).where(applied_events.c.event_id == bindparam("of_event")))
_INSERT_APPLIED = insert_new(applied_events)

_FIND_FILE = Statement(
    select(file_digests.c.digest).where(
        file_digests.c.url == bindparam("of_url"), file_digests.c.version == bindparam("of_version")
    )
)


def _replace_file(insert: Any) -> Any:
    new = insert(file_digests)
    return new.on_conflict_do_update(
        index_elements=["url"], set_={"version": new.excluded.version, "digest": new.excluded.digest}
    )


_REMEMBER_FILE = Statement(_replace_file)


def claim_link(
    database: Database, tracker: str, subject_id: str, *, claimant: str, expires_seconds: float
) -> str | None:
    """See `LineageStore.claim_link`."""
    key = {"of_tracker": tracker, "of_subject": subject_id}

    def claim(work: Transaction) -> bool:
        now = work.now()
        new = {"external_id": None, "claimant": claimant, "claim_expires_at": now + timedelta(seconds=expires_seconds)}
        if work.ask(_INSERT_LINK, {"tracker": tracker, "subject_id": subject_id, **new}).count():
            return True
        return work.ask(_CLAIM_LINK, {**key, **new, "by": claimant, "at": now}).count() > 0

    while True:
        link = database.read(lambda work: work.row(_FIND_LINK, key))
        if link is not None and link.external_id is not None:
            external_id: str = link.external_id
            return external_id
        if database.write(claim):
            return None
        time.sleep(_POLL_SECONDS)


def save_link(work: Transaction, tracker: str, subject_id: str, external_id: str) -> None:
    """See `LineageStore.save_link`."""
    new = {"tracker": tracker, "subject_id": subject_id, "claimant": None, "claim_expires_at": None}
    if not work.ask(_INSERT_LINK, {**new, "external_id": external_id}).count():
        work.send(_SAVE_LINK, {"of_tracker": tracker, "of_subject": subject_id, "external_id": external_id})


def drop_links(work: Transaction, tracker: str, external_ids: Mapping[str, str]) -> None:
    """See `LineageStore.drop_links`."""
    for subject_id, external_id in sorted(external_ids.items()):
        key = {"of_tracker": tracker, "of_subject": subject_id, "of_external": external_id}
        work.send(_DROP_LINK, {**key, "external_id": None, "claimant": None})  # free at once for who makes it anew


def find_links(work: Transaction, tracker: str, subject_ids: Iterable[str]) -> Mapping[str, str]:
    """See `LineageStore.find_links`."""
    found = work.rows_in(_FIND_LINKS, subject_ids, {"of_tracker": tracker})
    return {row.subject_id: row.external_id for row in found}


def apply_once(database: Database, event_id: str, apply: Callable[[], object]) -> bool:
    """See `LineageStore.apply_once`.

    The event is noted after it was applied: a process that dies in between leaves it to the next one, and two at
    once may both apply it, which the store's methods allow.
    """
    if database.read(lambda work: work.row(_EVENT_APPLIED, {"of_event": event_id})):
        return False
    apply()
    database.write(lambda work: work.send(_INSERT_APPLIED, {"event_id": event_id, "applied_at": work.now()}))
    return True


def claim_once(work: Transaction, event_id: str) -> bool:
    """See `LineageStore.claim_once`."""
    return work.ask(_INSERT_APPLIED, {"event_id": event_id, "applied_at": work.now()}).count() > 0


def pin_artifact(work: Transaction, run_id: str, name: str, artifact_id: str) -> str | None:
    """See `LineageStore.pin_artifact`. A pin is a link: what a run's word for an artifact leads to."""
    if all_live(ask_live(work, [artifact_id])):
        save_link(work, PIN, _pin(run_id, name), artifact_id)
    return find_pins(work, run_id, [name]).get(name)


def find_pins(work: Transaction, run_id: str, names: Sequence[str]) -> Mapping[str, str]:
    """See `LineageStore.find_pins`."""
    found = find_links(work, PIN, [_pin(run_id, name) for name in names])
    return {name: found[_pin(run_id, name)] for name in names if _pin(run_id, name) in found}


def _pin(run_id: str, name: str) -> str:
    return f"{run_id} {name}"


def find_file_digest(work: Transaction, url: str, version: str) -> str | None:
    """See `LineageStore.find_file_digest`."""
    row = work.row(_FIND_FILE, {"of_url": url, "of_version": version})
    return row and row.digest


def remember_file_digest(work: Transaction, url: str, version: str, digest: str) -> None:
    """See `LineageStore.remember_file_digest`."""
    work.send(_REMEMBER_FILE, {"url": url, "version": version, "digest": digest})
