"""The lineage store in SQL, for SQLite and PostgreSQL. SQLAlchemy is imported when a store is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zen_metadata.lineage.sql.store import SqlLineageStore


def open_lineage_store(url: str, *, create: bool = True, openlineage: bool = False) -> SqlLineageStore:
    """The lineage store at `url`: `sqlite:////path/zen.db` or `postgresql://USER@HOST/DATABASE`.

    Nothing is opened before the first call of a method. That call makes the schema where the database is empty, and
    raises SchemaVersionError where the schema is another version's.

    Args:
        url: the address.
        create: whether to make the store where there is none; else its absence is a StoreError on first use.
        openlineage: whether what is recorded through it is to be projected to OpenLineage too.

    Raises:
        StoreError: the URL is none, names another database, or a SQLite file on a network file system.
    """
    from zen_metadata.lineage.sql.store import SqlLineageStore

    return SqlLineageStore(url, create=create, openlineage=openlineage)
