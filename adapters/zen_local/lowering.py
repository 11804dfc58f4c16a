"""From the IR to what the engine needs of each step: its attempts, and what it takes of the machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zen_core.diagnostics import Diagnostic
from zen_core.errors import UnsupportedFeatureError


@dataclass(frozen=True, slots=True)
class LocalStep:
    """One step, as the engine schedules it."""

    name: str
    further_attempts: int
    delay_seconds: float
    backoff: float
    cpu: float
    memory_bytes: int
    gpu: int
    chunk: int = 1
    max_parallel: int | None = None

    def delay_before(self, attempt: int) -> float:
        """How long to wait before attempt 2, 3, …"""
        return self.delay_seconds * self.backoff ** (attempt - 2)


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to share out."""

    cpu: float
    memory_bytes: int
    gpu: int


@dataclass(frozen=True, slots=True)
class LocalPlan:
    """The steps in topological order, and how many of a run may run at once."""

    steps: Mapping[str, LocalStep]
    max_parallel: int | None = None


def lower_pipeline(ir: Mapping[str, Any], machine: Machine) -> LocalPlan:
    """Lower an IR document.

    Raises:
        UnsupportedFeatureError: steps that ask for more than the machine has, all of them.
    """
    steps = {document["name"]: _lower_step(document) for document in ir["steps"]}
    sources = {document["name"]: document.get("source", "") for document in ir["steps"]}
    problems = [
        Diagnostic(
            "ZEN-C101",
            f"step {step.name!r} asks for {asked}, this machine has {there}",
            where=sources[step.name],
            hint="run it on an orchestrator that has such workers, or ask for less",
        )
        for step in steps.values()
        for asked, there, fits in (
            (f"{step.cpu:g} cores", f"{machine.cpu:g}", step.cpu <= machine.cpu),
            (
                f"{step.memory_bytes / 2**30:.1f} GiB of memory",
                f"{machine.memory_bytes / 2**30:.1f} GiB",
                step.memory_bytes <= machine.memory_bytes,
            ),
            (f"{step.gpu} GPUs", str(machine.gpu), step.gpu <= machine.gpu),
        )
        if not fits
    ]
    if problems:
        raise UnsupportedFeatureError(diagnostics=problems)
    return LocalPlan(steps, ir.get("max_parallel"))


def _lower_step(document: Mapping[str, Any]) -> LocalStep:
    retry = document.get("retry") or {}
    resources = document.get("resources") or {}
    fan_out = document.get("map") or {}
    return LocalStep(
        name=document["name"],
        further_attempts=retry.get("times", 0),
        delay_seconds=retry.get("delay_seconds", 0.0),
        backoff=retry.get("backoff", 1.0),
        cpu=resources.get("cpu", 0.0),
        memory_bytes=resources.get("memory_bytes", 0),
        gpu=resources.get("gpu", 0),
        chunk=fan_out.get("chunk", 1),
        max_parallel=fan_out.get("max_parallel"),
    )


def this_machine() -> Machine:
    """What this machine has: cores that this process may use, physical memory, NVIDIA GPUs."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        memory = 2**63
    gpus = Path("/proc/driver/nvidia/gpus")
    return Machine(float(cores), memory, len(list(gpus.iterdir())) if gpus.is_dir() else 0)
