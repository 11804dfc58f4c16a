"""`zen init`: write a small project that runs. Its files are in `templates/project`."""

from __future__ import annotations

import keyword
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from string import Template

import click

from zen_core import __version__
from zen_core.cli.context import json_option
from zen_core.cli.output import print_json
from zen_core.errors import UsageError

_TEMPLATES = Path(__file__).parent / "templates" / "project"
_FILLED = ".txt"
"""The suffix of a template in which $name, $package, $version are filled in; it falls away. Others are copied."""
_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_PIPELINE = "iris"
# No template lies in a folder `tests`: what is in one of that name stays out of the wheel.
_FOLDERS = {"package/": "{package}/", "test/": "tests/"}
_OWN_FOLDERS = ("data", "tests", "build")


@click.command()
@click.argument("folder", required=False, default=".", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="The project's name; default: the folder's.")
@json_option
def init(folder: Path, name: str | None, as_json: bool) -> None:
    """Write a small project that runs.

    FOLDER is made if it is not there; default: the current one. It gets a pipeline with its data, tests, and a
    zen.toml that explains the settings. If one of the files is there already, nothing is written.
    """
    chosen = _suggest(folder.resolve().name) if name is None else name
    package = chosen.replace("-", "_")
    _refuse_bad_name(chosen, package, folder)
    contents = dict(_read_templates(chosen, package))
    _refuse_existing(folder, contents)
    _write(folder, contents)
    reference = f"{package}/pipeline.py:{_PIPELINE}"
    if as_json:
        print_json({"folder": str(folder), "name": chosen, "pipeline": reference, "files": list(contents)})
        return
    for place in contents:
        click.echo(f"  wrote {folder / place}")
    click.echo("\nnext")
    if folder.resolve() != Path.cwd():
        click.echo(f"  cd {shlex.quote(str(folder))}")
    click.echo(f"  zen run {reference}")
    click.echo("  zen show")


def _read_templates(name: str, package: str) -> Iterator[tuple[str, str]]:
    """Every file of the project: its place, and what is to stand in it."""
    release = ".".join(__version__.split(".")[:2])
    for path in sorted(item for item in _TEMPLATES.rglob("*") if item.is_file()):
        place = path.relative_to(_TEMPLATES).as_posix().removesuffix(_FILLED)
        for folder, written in _FOLDERS.items():
            if place.startswith(folder):
                place = written.format(package=package) + place.removeprefix(folder)
        text = path.read_text(encoding="utf-8")
        if path.suffix == _FILLED:
            text = Template(text).substitute(name=name, package=package, version=release)
        yield ".gitignore" if place == "gitignore" else place, text


def _suggest(text: str) -> str:
    """The nearest name that is allowed."""
    found = "-".join(re.findall(r"[a-z0-9]+", text.lower())) or "my-project"
    return found if found[0].isalpha() else f"project-{found}"


def _refuse_bad_name(name: str, package: str, folder: Path) -> None:
    if not _NAME.fullmatch(name):
        why = "a name has lower-case letters, digits and dashes, and begins with a letter"
        suggestion = _suggest(name)
    elif _is_taken(package):
        why = f"its package would be called {package!r}, and hide what Python or the project has under this name"
        suggestion = f"{name}-pipelines"
    else:
        return
    hint = f"zen init {shlex.quote(str(folder))} --name {suggestion}"
    raise UsageError(f"a project cannot be called {name!r}", why=why, hint=hint, code="ZEN-U103")


def _is_taken(package: str) -> bool:
    if keyword.iskeyword(package) or package in sys.stdlib_module_names or package in _OWN_FOLDERS:
        return True
    found = find_spec(package)
    # The project's own package may be importable already, as when it is written anew.
    return package.startswith("zen_") or (found is not None and "site-packages" in str(found.origin))


def _refuse_existing(folder: Path, contents: Mapping[str, str]) -> None:
    existing = [place for place in contents if (folder / place).exists() or (folder / place).is_symlink()]
    if existing:
        raise UsageError(
            f"the folder {folder} has {len(existing)} of the files already, so nothing is written",
            where="\n".join(str(folder / place) for place in existing),
            hint="name a new folder: zen init FOLDER\na project that you have needs none of them: add zen-core to its "
            "dependencies, and decorate functions with @step and @pipeline",
            code="ZEN-U104",
        )


def _write(folder: Path, contents: Mapping[str, str]) -> None:
    try:
        for place, text in contents.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            with (folder / place).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise UsageError(
            f"the project cannot be written: {error.strerror}",
            where=str(error.filename or folder),
            hint="name a folder that you may write to",
        ) from error
