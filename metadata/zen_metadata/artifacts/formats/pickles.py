"""Pickles: scikit-learn's estimators, and the announced last resort for everything else."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from zen_metadata.artifacts.digests import digest_object


class PickleSerializer:
    """Any object, by cloudpickle. Readable only with the same versions of the packages that its class comes from."""

    name = "pickle"
    version = 1
    extension = ".pkl"
    pickles = True

    def handles(self, value: object) -> bool:
        """Anything; whether it can be pickled is found out by trying."""
        return True

    def dump(self, value: object, path: Path) -> Mapping[str, Any]:
        """Write the pickle."""
        import cloudpickle

        with path.open("wb") as stream:
            cloudpickle.dump(value, stream, protocol=5)
        return {"pickled": True, "packages": _packages_of(value)}

    def load(self, path: Path, metadata: Mapping[str, Any], into: Any) -> object:
        """Read the pickle, which can run any code that whoever wrote it wanted to run."""
        with path.open("rb") as stream:
            return pickle.load(stream)

    def digest(self, value: object, stored_digest: str, metadata: Mapping[str, Any]) -> str:
        """Of what the object consists of; the pickle's own bytes differ between processes."""
        return digest_object(value)


class EstimatorSerializer(PickleSerializer):
    """scikit-learn's estimators and pipelines, and classes derived from them."""

    name = "sklearn"

    def handles(self, value: object) -> bool:
        """Whether it is an estimator."""
        base = sys.modules.get("sklearn.base")
        return base is not None and isinstance(value, base.BaseEstimator)


_DISTRIBUTION_BY_LIBRARY = {"sklearn": "scikit-learn"}


def _packages_of(value: object) -> dict[str, str]:
    """The versions of the packages that the class and its ancestors come from, for the error of a later reader."""
    libraries = {ancestor.__module__.partition(".")[0] for ancestor in type(value).__mro__}
    names = sorted(_DISTRIBUTION_BY_LIBRARY.get(library, library) for library in libraries - {"builtins"})
    found: dict[str, str] = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # the user's own module, or the standard library's
    return found
