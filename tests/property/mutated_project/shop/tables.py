"""Values that statements make."""

SQUARES = {}
for number in range(3):
    SQUARES[number] = number * number

NAMES = ["one"]
NAMES.append("two")
