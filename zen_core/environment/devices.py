"""GPUs, their driver and CUDA, from files: no tool is started, no library loaded for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_NVIDIA = Path("/proc/driver/nvidia")
_CUDA = Path("/usr/local/cuda")


def find_gpus(proc: Path = _NVIDIA) -> dict[str, Any]:
    """Driver and models of NVIDIA's GPUs; {} where there are none.

    Args:
        proc: the folder in which the driver shows itself.
    """
    try:
        driver = (proc / "version").read_text(encoding="utf-8").splitlines()[0].strip()
        files = sorted((proc / "gpus").glob("*/information"))
        texts = [file.read_text(encoding="utf-8") for file in files]
    except (OSError, UnicodeDecodeError, IndexError):
        return {}
    models = [
        line.partition(":")[2].strip() for text in texts for line in text.splitlines() if line.startswith("Model")
    ]
    return {"driver": driver, "models": models}


def find_cuda(folder: Path = _CUDA) -> str | None:
    """The version of the CUDA toolkit of this machine, or None. What a package brings along is told by its version."""
    try:
        version = json.loads((folder / "version.json").read_text(encoding="utf-8"))["cuda"]["version"]
        return version if isinstance(version, str) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
