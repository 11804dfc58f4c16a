"""The mark on a step's function that says when this process defined it, in nanoseconds since 1970.

What is in memory was read from files as they were then. A file that was changed later says something else.
"""

DEFINED_AT = "__zen_defined_at__"
