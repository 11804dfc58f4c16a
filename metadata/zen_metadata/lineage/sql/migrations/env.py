"""What Alembic runs: the migrations, in the caller's transaction."""

from alembic import context

from zen_metadata.lineage.sql.schema import EARLIER_VERSION_TABLE
from zen_metadata.lineage.sql.tables import TABLE_PREFIX, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # Run by itself, it makes what a Zen of that revision made.
    version_table=context.config.attributes.get("version_table", EARLIER_VERSION_TABLE),
    include_name=lambda name, kind, parents: kind != "table" or str(name).startswith(TABLE_PREFIX),
    render_as_batch=True,  # SQLite changes a column by copying the table
)
context.run_migrations()
