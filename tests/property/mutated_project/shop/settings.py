"""Constants."""

import enum

START = 2
RATE = 3
UNUSED = 0
FEES = {"base": 1}


class Grade(enum.Enum):
    LOW = 1
    HIGH = 2
