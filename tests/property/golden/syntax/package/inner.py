import sys

if sys.version_info >= (3, 12):

    def starred(value: object) -> object:
        return value, TABLE

else:

    def starred(value: object) -> object:
        return TABLE, value


TABLE = {}
for row in "abc":
    TABLE[row] = len(TABLE)


def deep(value: object) -> object:
    """Raw: \\d, and
    more."""
    from . import COLUMNS

    return starred(value) if COLUMNS else None
