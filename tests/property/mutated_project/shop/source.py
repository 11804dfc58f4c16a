"""Where the numbers come from."""

from shop import settings


def numbers(count: int) -> list[int]:
    return [settings.START + index for index in range(count)]
