"""Python imports this at its start where the folder is on PYTHONPATH; it arms what ZEN_FAULT says, if it says anything.

ZEN_FAULT is the JSON form of `fault_points.Fault`, ZEN_FAULT_RECORD a file for the names of the points that are passed.
"""

import os

if "ZEN_FAULT" in os.environ or "ZEN_FAULT_RECORD" in os.environ:
    import fault_points  # type: ignore[import-not-found]

    fault_points.arm_from_environment()
