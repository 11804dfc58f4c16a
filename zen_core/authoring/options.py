"""What a step or a pipeline may be given beside its function. Every value is checked when it is written.

Durations are texts such as "30s", "15m", "1h30m" or "7d", numbers of seconds, or timedeltas; sizes are texts such as
"512Mi" or "4Gi", or numbers of bytes. A value that cannot be raises DefinitionError, with all problems of the object.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from zen_core.authoring.code_location import caller_place
from zen_core.authoring.cron import find_cron_problems
from zen_core.authoring.problems import did_you_mean, invalid_option
from zen_core.authoring.quantities import Duration, Size, parse_duration, parse_size
from zen_core.diagnostics import Diagnostic
from zen_core.errors import DefinitionError

DURATION_HINT = 'write a text such as "30s", "15m", "1h30m" or "7d", or a number of seconds'
_SIZE_HINT = 'write a text such as "512Mi", "4Gi" or "2G", or a number of bytes'
_OVERLAPS = ("queue", "skip", "allow")
_PACKAGES = ("imported", "all", "none")


@dataclass(frozen=True)
class Retry:
    """Further attempts after a failure.

    Args:
        times: how many further attempts, 1 to 100.
        delay: the least time before the first of them, up to a day.
        backoff: the factor by which the delay grows with each attempt, 1 to 10.
    """

    times: int
    delay: Duration = 0
    backoff: float = 1

    def __post_init__(self) -> None:
        _check(
            "Retry",
            _find(_is_whole(self.times, 1, 100), "times", self.times, "write a whole number from 1 to 100"),
            _find(_is_duration(self.delay, 0, 86_400), "delay", self.delay, f"{DURATION_HINT}; a day at most"),
            _find(_is_number(self.backoff, 1, 10), "backoff", self.backoff, "write a number from 1 to 10"),
        )


@dataclass(frozen=True)
class Resources:
    """What a step needs of a machine.

    Args:
        cpu: cores; fractions are allowed.
        memory: a size.
        gpu: how many GPUs.
        gpu_type: which GPU, in the words of the platform that has them.
    """

    cpu: float | None = None
    memory: Size | None = None
    gpu: int | None = None
    gpu_type: str | None = None

    def __post_init__(self) -> None:
        type_is_good = self.gpu_type is None or (_is_text(self.gpu_type) and self.gpu is not None)
        _check(
            "Resources",
            _find(
                self.cpu is None or (_is_number(self.cpu, 0, 1e6) and self.cpu > 0),
                "cpu",
                self.cpu,
                "write a number of cores above 0",
            ),
            _find(self.memory is None or _is_parsed(parse_size, self.memory), "memory", self.memory, _SIZE_HINT),
            _find(
                self.gpu is None or _is_whole(self.gpu, 1, 1_000_000), "gpu", self.gpu, "write a whole number from 1"
            ),
            _find(type_is_good, "gpu_type", self.gpu_type, "write a text, and how many: gpu=1"),
        )


@dataclass(frozen=True)
class Environment:
    """What a step needs around its code; on a pipeline, what those of its steps need that do not say it themselves.

    Python and packages are checked in the task, before the step starts: Zen installs nothing.

    Args:
        python: a version specifier, such as ">=3.11,<3.13".
        requirements: packages, in the form of a requirements file: ["torch>=2.4", "transformers[sentencepiece]"].
        image: the container image that the task runs in, on targets that run containers.
    """

    python: str | None = None
    requirements: Iterable[str] = ()
    image: str | None = None

    def __post_init__(self) -> None:
        _check(
            "Environment",
            _find(
                self.python is None or _is_specifier(self.python), "python", self.python, 'write ">=3.11" or "==3.12.*"'
            ),
            _find(
                _is_texts(self.requirements) and all(map(_is_requirement, self.requirements)),
                "requirements",
                self.requirements,
                'write a list such as ["torch>=2.4"]; addresses and paths cannot be checked in a task',
            ),
            _find(
                self.image is None or (_is_text(self.image) and not re.search(r"\s", self.image)),
                "image",
                self.image,
                'write an image\'s name, such as "registry.example/train:1.2"',
            ),
        )
        object.__setattr__(self, "requirements", tuple(self.requirements))


@dataclass(frozen=True)
class Cache:
    """When the result of a step is reused.

    Args:
        ttl: after this time a result is not reused any more; None: it does not age.
        wait: how long to wait for another worker that does the same work, before doing it too.
        files: files, relative to the data root, that the step reads without having them as inputs.
        env: environment variables that the step reads.
        salt: a part of the cache key; another text is a miss.
        packages: which installed packages count, by name and version: those that the code imports ("imported"), every
            one of the environment ("all"), or none ("none").
    """

    ttl: Duration | None = None
    wait: Duration = "15m"
    files: Iterable[str] = ()
    env: Iterable[str] = ()
    salt: str = ""
    packages: Literal["imported", "all", "none"] = "imported"

    def __post_init__(self) -> None:
        ttl_is_good = self.ttl is None or (_is_duration(self.ttl, 0) and parse_duration(self.ttl) > 0)
        _check(
            "Cache",
            _find(ttl_is_good, "ttl", self.ttl, f"{DURATION_HINT}; cache=False turns caching off"),
            _find(_is_duration(self.wait, 0), "wait", self.wait, DURATION_HINT),
            _find(_is_texts(self.files), "files", self.files, 'write a list of paths, such as ["data/rules.json"]'),
            _find(
                _is_texts(self.env, r"[A-Za-z_][A-Za-z0-9_]*"),
                "env",
                self.env,
                'write a list of variables\' names, such as ["MODEL_ENDPOINT"]',
            ),
            _find(isinstance(self.salt, str), "salt", self.salt, "write a text"),
            _find(self.packages in _PACKAGES, "packages", self.packages, f"write one of {', '.join(_PACKAGES)}"),
        )
        object.__setattr__(self, "files", tuple(self.files))
        object.__setattr__(self, "env", tuple(self.env))


@dataclass(frozen=True)
class Schedule:
    """When an orchestrator starts the pipeline by itself.

    Args:
        cron: five fields: minute, hour, day of month, month, day of week.
        timezone: the IANA zone in which the expression is read.
        overlap: what happens with a tick while an earlier run goes on: it waits ("queue"), is left out ("skip"),
            or runs beside it ("allow").
        catch_up: whether ticks that were missed since `start` are run afterwards.
        start: the first day that counts.
    """

    cron: str
    timezone: str = "UTC"
    overlap: Literal["queue", "skip", "allow"] = "queue"
    catch_up: bool = False
    start: str | datetime.date | None = None

    def __post_init__(self) -> None:
        start_hint = 'write an ISO date, such as "2026-01-31"'
        _check(
            "Schedule",
            *_find_in_cron(self.cron),
            _find_in_zone(self.timezone),
            _find(self.overlap in _OVERLAPS, "overlap", self.overlap, f"write one of {', '.join(_OVERLAPS)}"),
            _find(isinstance(self.catch_up, bool), "catch_up", self.catch_up, "write True or False"),
            _find(self.start is None or _is_parsed(_iso_date, self.start), "start", self.start, start_hint),
            _find(
                not self.catch_up or self.start is not None,
                "start",
                self.start,
                f"catch_up=True needs the first day to catch up from: {start_hint}",
            ),
        )
        if self.start is not None:
            object.__setattr__(self, "start", _iso_date(self.start))


def option_problem(name: str, value: object, hint: str) -> Diagnostic:
    """The problem of an option with a value that cannot be, at the user's line that is being executed."""
    return invalid_option(caller_place(), f"{name} cannot be {value!r:.80}", hint)


def find_wrong_texts(name: object, tags: object) -> list[Diagnostic]:
    """What is wrong with the name and the tags of a step or a pipeline."""
    found = []
    if name is not None and not (isinstance(name, str) and name):
        found.append(option_problem("name", name, "write a text"))
    is_list = isinstance(tags, (list, tuple, set, frozenset))
    if not is_list or not all(isinstance(tag, str) and tag.strip() for tag in tags):  # type: ignore[attr-defined]
        found.append(option_problem("tags", tags, 'write a list of texts, such as ["churn"]'))
    return found


def find_wrong_counts(counts: Mapping[str, object]) -> list[Diagnostic]:
    """Those of the options, by the name that is shown, that are neither None nor a whole number from 1."""
    return [
        option_problem(name, value, "write a whole number from 1")
        for name, value in counts.items()
        if value is not None and not _is_whole(value, 1, 1_000_000_000)
    ]


def _check(owner: str, *problems: tuple[str, object, str] | None) -> None:
    """Raise DefinitionError with all problems that there are."""
    found = [
        option_problem(f"{owner}({name}=…)", value, hint)
        for name, value, hint in (problem for problem in problems if problem is not None)
    ]
    if found:
        raise DefinitionError(diagnostics=found)


def _find(is_good: bool, name: str, value: object, hint: str) -> tuple[str, object, str] | None:
    return None if is_good else (name, value, hint)


def _find_in_cron(cron: object) -> list[tuple[str, object, str]]:
    hint = 'write five fields, such as "0 6 * * 1-5"'
    if not isinstance(cron, str):
        return [("cron", cron, hint)]
    return [("cron", cron, f"{problem}; {hint}") for problem in find_cron_problems(cron)]


def _find_in_zone(timezone: object) -> tuple[str, object, str] | None:
    if timezone == "UTC":
        return None
    import zoneinfo

    try:
        if isinstance(timezone, str) and timezone not in ("", "localtime"):
            zoneinfo.ZoneInfo(timezone)
            return None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        pass  # told below, with the nearest name
    known = zoneinfo.available_timezones()
    if not known:
        return "timezone", timezone, "this machine has no time zone database: install the package tzdata"
    hint = did_you_mean(str(timezone), known) or 'write an IANA zone, such as "Europe/Berlin"'
    return "timezone", timezone, hint


def _iso_date(value: object) -> str:
    if isinstance(value, datetime.datetime) or not isinstance(value, (str, datetime.date)):
        raise ValueError(f"{value!r} is no date")
    return (value if isinstance(value, datetime.date) else datetime.date.fromisoformat(value)).isoformat()


def _is_parsed(parse: Callable[[Any], object], value: object) -> bool:
    try:
        parse(value)
    except ValueError:
        return False
    return True


def _is_specifier(value: object) -> bool:
    from packaging.specifiers import SpecifierSet

    return isinstance(value, str) and bool(value.strip()) and _is_parsed(SpecifierSet, value)


def _is_requirement(value: str) -> bool:
    from packaging.requirements import Requirement

    return _is_parsed(Requirement, value) and Requirement(value).url is None


def _is_duration(value: Any, low: float, high: float = math.inf) -> bool:
    return _is_parsed(parse_duration, value) and low <= parse_duration(value) <= high


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _is_whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and _is_number(value, low, high)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_texts(value: object, pattern: str = r"(?s).+") -> bool:
    return isinstance(value, (list, tuple)) and all(
        isinstance(item, str) and re.fullmatch(pattern, item) for item in value
    )
