"""How a run is told that has maps and branches: one line for a map, and why a step is skipped."""

import io

from rich.console import Console

from zen_core.cli.progress import LiveProgress, PlainProgress

MAPS = """
from zen_core import Environment, pipeline, step, when

@step
def numbers(count: int) -> list[int]:
    return list(range(count))

@step
def fit(value: int, worst: int) -> int:
    if value >= worst:
        raise ValueError(f"{value} is wrong")
    return value

@step
def total(values: list[int]) -> int:
    return sum(values)

@pipeline
def mapping(count: int = 20, worst: int = 1000):
    best = total(fit.map(value=numbers(count), worst=worst))
    with when(best > 100):
        total.with_options(name="publish")([best])

@pipeline
def in_image():
    numbers.with_options(environment=Environment(image="registry.example/train:1"))(1)
"""


def events(result):
    """The lines without the times, which no test can know."""
    return [line.partition(" in ")[0] for line in result.stdout.splitlines()]


def test_a_map_is_one_line_at_its_start_and_one_at_its_end(project):
    project.write(maps__py=MAPS)
    result = project.zen("run", "maps.py:mapping")
    assert result.exit_code == 0
    lines = events(result)
    assert [line for line in lines if line.startswith("fit")] == ["fit: 20 elements", "fit: 20 completed"]
    assert "total: completed" in lines
    assert "publish: completed" in lines


def test_a_skipped_step_says_the_condition(project):
    project.write(maps__py=MAPS)
    lines = events(project.zen("run", "maps.py:mapping", "--param", "count=3"))
    assert "publish: skipped: total > 100 is false" in lines
    lines = events(project.zen("run", "maps.py:mapping", "--param", "count=0"))
    assert [line for line in lines if line.startswith("fit")] == ["fit: completed: the list is empty"]


def test_of_a_thousand_failures_the_first_few_are_told(project):
    project.write(maps__py=MAPS)
    result = project.zen("run", "maps.py:mapping", "--param", "worst=2")
    assert result.exit_code == 1
    lines = [line for line in result.stdout.splitlines() if line.startswith("fit")]
    assert len(lines) == 7
    assert lines[0] == "fit: 20 elements"
    assert all(": ValueError: " in line and line.endswith(" is wrong") for line in lines[1:6])
    assert lines[6].startswith("fit: 2 completed, 18 failed in ")
    logs = [line for line in result.stderr.splitlines() if "zen logs" in line]
    assert len(logs) == 3
    assert " fit[" in logs[0]
    assert "… and 15 more" in result.stderr
    assert "ValueError: " in result.stderr


def test_an_image_is_refused_unless_the_project_waives_it(project):
    project.write(maps__py=MAPS)
    result = project.zen("run", "maps.py:in_image")
    assert result.exit_code == 1
    assert "adapter 'local' cannot express image" in result.stderr
    assert "steps run in the environment that `zen` runs in" in result.stderr
    assert '[adapters.local] waive = ["image"]' in result.stderr
    project.write(zen__toml='project = "demo"\nmlflow_sync = "off"\n[adapters.local]\nwaive = ["image"]\n')
    result = project.zen("run", "maps.py:in_image")
    assert result.exit_code == 0
    assert result.stderr == "left out here, as zen.toml says: image\n"


def live(width=100):
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=width, height=20, color_system=None)
    return LiveProgress(console), written


def rows(written):
    return [" ".join(line.split()) for line in written.getvalue().splitlines()]


def test_on_a_terminal_a_map_is_one_line_with_a_count():
    progress, written = live()
    progress.run_started("aaaa1111-0000", ("numbers", "fit", "total", "publish"))
    progress.step_finished("numbers", "completed", 0.1, "")
    progress.map_started("fit", 1000)
    for index in range(35):
        progress.step_started(f"fit[{index}]", 1)
        progress.step_finished(f"fit[{index}]", "completed", 0.1, "")
    progress.step_finished("fit[35]", "failed", 0.1, "ValueError: three is wrong")
    progress.step_finished("fit[36]", "failed", 0.1, "ValueError: four is wrong")
    progress._live.refresh()
    assert rows(written)[-3].endswith("fit running 37/1000 35 completed, 2 failed ValueError: three is wrong")
    for index in range(37, 1000):
        progress.step_finished(f"fit[{index}]", "cached", 0.0, "")
    progress.step_finished("total", "upstream_failed", 0.0, "")
    progress.step_finished("publish", "skipped", 0.0, "total > 100 is false")
    progress.close()
    last = rows(written)[-4:]
    assert last[0].startswith("✗ fit failed 1000/1000 35 completed, 2 failed, 963 cached")
    assert last[2] == "- publish skipped total > 100 is false"


def test_in_the_end_the_list_says_why_steps_ran():
    progress, written = live()
    progress.run_started("aaaa1111-0000", ("numbers", "fit", "grow", "total"))
    progress.step_finished("numbers", "cached", 0.0, "")
    for step in ("fit", "grow"):
        progress.map_started(step, 2)
        for index in range(2):
            progress.step_finished(f"{step}[{index}]", "completed", 0.1, "")
    progress.step_finished("total", "failed", 0.1, "ValueError: no")
    code = "code changed: features.scale"
    reasons = {"numbers": "nothing changed", "fit[0]": code, "fit[1]": code, "grow[0]": code, "grow[1]": "refresh"}
    progress.explain({**reasons, "total": "input xs changed"})
    progress.close()
    last = rows(written)[-5:-1]
    assert last[0].endswith("✓ numbers cached nothing changed")
    assert last[1:] == [
        f"✓ fit completed 2/2 {code}",
        "✓ grow completed 2/2",
        "✗ total failed 0.10 s ValueError: no",
    ]


def test_retries_of_elements_are_told_within_the_same_few_lines():
    written = io.StringIO()
    progress = PlainProgress(written)
    progress.map_started("fit", 10)
    for index in range(10):
        progress.step_started(f"fit[{index}]", 1)
        progress.step_retrying(f"fit[{index}]", 2, 0.0, "OSError: gone")
        progress.step_started(f"fit[{index}]", 2)
        progress.step_finished(f"fit[{index}]", "completed", 0.1, "")
    lines = written.getvalue().splitlines()
    assert lines[1] == "fit[0]: OSError: gone; attempt 2 begins now"
    assert lines[-1].startswith("fit: 10 completed in ")
    assert len(lines) == 7
