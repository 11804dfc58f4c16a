"""Builds the virtual environments under .venvs/ and resolves the pinned sets that they are built from.

    python -m tools.environments build NAME    .venvs/NAME from constraints/NAME.txt, the project editable
    python -m tools.environments wheel         .venvs/wheel: as core, with the project's wheel installed
    python -m tools.environments resolve       write constraints/*.txt again
    python -m tools.environments check         fail if the sets disagree where they must be equal

An environment holds the project with the extras named in ENVIRONMENTS, and what constraints/NAME.in adds.
Only the standard library is used: this runs before there is any environment.
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from tools.bootstrap import ROOT, read_uv, run_uv

CONSTRAINTS = ROOT / "constraints"
ENVIRONMENTS = {
    "core": ("data", "dev", "mlflow", "openlineage", "postgresql", "s3"),
    "airflow3": ("airflow", "data", "mlflow", "postgresql"),
    "airflow211": ("airflow", "data", "mlflow", "postgresql"),
    "prefect": ("data", "mlflow", "postgresql", "prefect"),
    "kfp": ("data", "kfp", "mlflow", "postgresql"),
    "dagster": ("dagster", "data", "mlflow", "postgresql"),
    "sqlalchemy14": ("data", "dev", "mlflow", "postgresql"),
}
# What the benchmarks compare Zen with: each alone, without the project.
PEERS = ("metaflow", "redun", "zenml")
# A cache key holds the versions of the packages that a step imports: where these differ between two
# environments, a step that ran in one is run again in the other.
EQUAL = {
    "cloudpickle", "fsspec", "joblib", "matplotlib", "mlflow", "numpy", "pandas", "pyarrow", "pydantic",
    "pydantic-core", "scikit-learn", "scipy",
}  # fmt: skip
HEADER = "# The tested set of .venvs/{name} (CPython 3.11, Linux). Written by `make constraints`; do not edit.\n"


def main(command: str, *names: str) -> None:
    """Run one of the commands above."""
    match command, names:
        case "build", [name] if name in ENVIRONMENTS or name in PEERS:
            build(name)
        case "wheel", []:
            build_wheel()
        case "resolve", []:
            resolve()
        case "check", []:
            check()
        case _:
            sys.exit(__doc__)


def build(name: str) -> None:
    """Make .venvs/NAME or bring it up to date, and mark it ready."""
    ready = ROOT / ".venvs" / name / "ready"
    ready.unlink(missing_ok=True)
    if name in PEERS:
        install(name, constraints=f"peers/{name}", project=[])
    else:
        install(name, constraints=name, project=["--editable", f".[{','.join(ENVIRONMENTS[name])}]"])
    ready.touch()


def build_wheel() -> None:
    """Build the wheel and install it as a user gets it, beside the tools that the tests need."""
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    run_uv(
        "build",
        "--quiet",
        "--wheel",
        "--build-constraints",
        str(CONSTRAINTS / "core.txt"),
        "--out-dir",
        str(dist),
    )
    [wheel] = dist.glob("*.whl")
    install("wheel", constraints="core", project=[f"{wheel}[{','.join(ENVIRONMENTS['core'])}]"])


def install(name: str, *, constraints: str, project: list[str]) -> None:
    """Make the environment hold the project and the pinned set, and nothing else."""
    environment = ROOT / ".venvs" / name
    pinned = CONSTRAINTS / f"{constraints}.txt"
    run_uv("venv", "--quiet", "--allow-existing", "--python", sys.executable, str(environment))
    run_uv(
        "pip", "install", "--quiet", "--exact", "--compile-bytecode",
        "--python", str(environment / "bin" / "python"),
        "--constraints", str(pinned), "--build-constraints", str(CONSTRAINTS / "core.txt"),
        "--requirements", str(CONSTRAINTS / f"{constraints}.in"), "--reinstall-package", "zen-core", *project,
    )  # fmt: skip
    frozen = parse(read_uv("pip", "freeze", "--exclude-editable", "--python", str(environment / "bin" / "python")))
    unpinned = sorted(set(frozen) - set(parse(pinned.read_text())) - {"zen-core"})
    if unpinned:
        sys.exit(f"constraints/{constraints}.txt does not pin {', '.join(unpinned)}: run `make constraints`.")


def resolve() -> None:
    """Resolve core to the newest versions, then every other set with core's versions wherever they fit."""
    with tempfile.TemporaryDirectory() as folder:
        resolved = {name: Path(folder) / f"{name}.txt" for name in ENVIRONMENTS}
        for name, extras in ENVIRONMENTS.items():
            if name != "core":
                shutil.copyfile(resolved["core"], resolved[name])  # uv keeps what it finds there
            run_uv(
                "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python-version", "3.11",
                "--python", sys.executable, *(f"--extra={extra}" for extra in extras),
                "--output-file", str(resolved[name]), "pyproject.toml", str(CONSTRAINTS / f"{name}.in"),
            )  # fmt: skip
        for name in PEERS:
            resolved[f"peers/{name}"] = file = Path(folder) / f"{name}.txt"
            run_uv(
                "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python-version", "3.11",
                "--python", sys.executable, "--output-file", str(file), str(CONSTRAINTS / "peers" / f"{name}.in"),
            )  # fmt: skip
        for name, file in resolved.items():
            pins = [line for line in file.read_text().splitlines() if not line.startswith("-")]
            (CONSTRAINTS / f"{name}.txt").write_text(HEADER.format(name=Path(name).name) + "\n".join(pins) + "\n")
    check()


def check() -> None:
    """Fail if a pinned set is not pinned, or differs from core's where all must be equal."""
    pins = {name: parse((CONSTRAINTS / f"{name}.txt").read_text()) for name in ENVIRONMENTS}
    problems = [
        f"constraints/{name}.txt has {package} {pinned.get(package)}, core.txt {pins['core'].get(package)}"
        for name, pinned in pins.items()
        for package in sorted(EQUAL & (set(pinned) | set(pins["core"])))
        if pinned.get(package) != pins["core"].get(package)
    ]
    if problems:
        sys.exit("\n".join(problems))


def parse(text: str) -> dict[str, str]:
    """name -> version of the `name==version` lines."""
    return dict(re.findall(r"^([a-z0-9][a-z0-9.-]*)==(\S+)$", text, flags=re.MULTILINE))


if __name__ == "__main__":
    os.chdir(ROOT)
    main(*sys.argv[1:] or [""])
