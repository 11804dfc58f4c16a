"""Secrets that steps read: variables of the task's environment, read when the step executes and masked from then on."""

from __future__ import annotations

import os
from collections.abc import Iterable

from zen_core.diagnostics import Diagnostic
from zen_core.errors import SecretError
from zen_metadata.shim.masking import remember_secret


def prepare_secrets(names: Iterable[str], where: str) -> None:
    """See to it that the secrets are there, and keep their values out of whatever is written from now on.

    Raises:
        SecretError: secrets that are not set, all of them.
    """
    values = {name: os.environ.get(name) for name in sorted(set(names))}
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise SecretError(
            diagnostics=[
                Diagnostic(
                    SecretError.code,
                    f"the secret {name} is not set",
                    where,
                    why="a secret is an environment variable of the task, and this one has none of that name",
                    hint=f"set {name} where the task runs, or name where it comes from under `credentials` in zen.toml",
                )
                for name in missing
            ]
        )
    for value in values.values():
        if value is not None:
            remember_secret(value)


def read_secret(name: str) -> str:
    """The value of a secret that `prepare_secrets` has found."""
    return os.environ[name]
