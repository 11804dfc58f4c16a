"""Each code of an error has a page, which is true: its example is run, and prints what the page says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

import zen_core.errors
from zen_core.errors import ZenError

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "zen_core" / "error_pages").glob("*.md"))
SOURCES = [path for name in ("zen_core", "metadata", "adapters") for path in sorted((ROOT / name).rglob("*.py"))]
WITHOUT_EXAMPLE = {
    *("ZEN-U200", "ZEN-D100", "ZEN-D200", "ZEN-A103", "ZEN-S100", "ZEN-X000"),  # of a whole family
    *("ZEN-A102", "ZEN-X100"),  # something is broken
    *("ZEN-A106", "ZEN-A107", "ZEN-A108", "ZEN-A109", "ZEN-S112"),  # an orchestrator answers
    *("ZEN-M101", "ZEN-T100", "ZEN-T101", "ZEN-T110", "ZEN-T111"),  # a server does not
    *("ZEN-M211", "ZEN-M212", "ZEN-M213", "ZEN-M214"),  # nothing is wrong
    *("ZEN-M106", "ZEN-S111", "ZEN-S113", "ZEN-S118"),
}
CLASSES = {
    name: value
    for name, value in vars(zen_core.errors).items()
    if isinstance(value, type) and issubclass(value, ZenError)
}
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def with_output():
    return runpy.run_path(str(ROOT / "docs" / "error_examples.py"))["with_output"]


def test_each_code_of_the_source_has_a_page_and_each_page_is_of_such_a_code() -> None:
    used = {code for path in SOURCES for code in re.findall(r"ZEN-[A-Z][0-9]{3}", path.read_text(encoding="utf-8"))} - {
        "ZEN-U901"
    }
    documented = {path.stem for path in PAGES}
    assert sorted(used - documented) == [], "these have no page in zen_core/error_pages"
    assert sorted(documented - used) == [], "these are not in the source any more"


@each_page
def test_a_page_says_what_it_means_and_what_to_do(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.match(rf"# {page.stem}: [^\n]+\.\n\n[\w`]", text)
    assert "\n\n**What to do.** " in text
    assert ("<!-- run: " in text or "<!-- raised:" in text) == (page.stem not in WITHOUT_EXAMPLE)


@each_page
def test_the_class_and_the_exit_code_are_true(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    own = [name for name, kind in CLASSES.items() if kind.code == page.stem]
    found = re.search(r"\nIn Python: `zen_core\.errors\.(\w+)`\. Exit code: (\d+)\.\n$", text)
    if found is None:
        assert text.endswith("\nNot raised: a line of a report.\n")
        assert own == []
    else:
        assert own in ([], [found.group(1)])
        assert CLASSES[found.group(1)].exit_code == int(found.group(2))
        assert CLASSES[found.group(1)].code[:5] == page.stem[:5]


@each_page
def test_the_example_prints_what_the_page_says(page: Path, tmp_path: Path, with_output) -> None:
    text = page.read_text(encoding="utf-8")
    assert with_output(text, tmp_path) == text, f"run: python docs/error_examples.py {page.stem}"
    if page.stem not in WITHOUT_EXAMPLE:
        assert f"error {page.stem}: " in text
