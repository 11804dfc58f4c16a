"""A helper that uses a package of somebody else's."""

import customs


def levy(item: int) -> int:
    return customs.duty(item)
