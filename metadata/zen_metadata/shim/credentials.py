"""Credentials that an orchestrator keeps: put into the process's environment, where settings and libraries look."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from zen_core.diagnostics import Diagnostic
from zen_core.errors import ShimError
from zen_metadata.shim.masking import remember_secret


class MissingCredentialError(LookupError):
    """The orchestrator has nothing under this name. The text says what is missing and how to make it."""


def apply_credentials(references: Mapping[str, str], read: Callable[[str], str]) -> None:
    """Set each environment variable to what its reference stands for; the values are masked from now on.

    Args:
        references: the orchestrator's own name of a secret, by environment variable.
        read: the value of a name. Raises MissingCredentialError.

    Raises:
        ShimError: names that the orchestrator does not know, all of them.
    """
    values, problems = {}, []
    for variable, reference in sorted(references.items()):
        try:
            values[variable] = read(reference)
        except MissingCredentialError as error:
            problems.append(
                Diagnostic(
                    "ZEN-S112",
                    f"the value of {variable} is not there: {error}",
                    where=f"credentials {variable} = {reference!r}",
                    hint="make it in the orchestrator, or correct the name in zen.toml and deploy again",
                )
            )
    if problems:
        raise ShimError(diagnostics=problems)
    for variable, value in values.items():
        remember_secret(value)
        os.environ[variable] = value
