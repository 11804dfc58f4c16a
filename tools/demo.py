"""Runs the example from end to end: every command as a person would type it, with what it prints.

    python -m tools.demo

Uses the environment of the interpreter that runs it. Leaves everything in the example's .zen/ and build/.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent / "examples" / "breast_cancer"
PIPELINE = "pipelines/training.py:breast_cancer"
DAGS = Path("build", "dags")
STATE = (".zen", "build")


def main() -> None:
    os.chdir(EXAMPLE)
    print(f"The project is {EXAMPLE.relative_to(EXAMPLE.parent.parent)}; its pipeline is {PIPELINE}.")
    say("Begin without what earlier runs left.")
    shell(f"rm -rf {' '.join(STATE)}")
    for folder in STATE:
        shutil.rmtree(folder, ignore_errors=True)

    say("Run it on this machine. Every step executes.")
    zen("run", PIPELINE)
    say("Again: the results are there.")
    zen("run", PIPELINE)
    say("With another parameter: only what depends on it executes.")
    zen("run", PIPELINE, "--param", "depth=3")

    say("Which steps ran, what they made, what they measured.")
    zen("show", "latest")
    say("Where the report comes from.")
    zen("lineage", "report")

    say("The same pipeline for Airflow.")
    zen("--stack", "airflow", "compile", PIPELINE, "--for", "airflow", "--out", str(DAGS))
    for path in sorted(DAGS.glob("*.py")):
        shell(f"cat {path}")
        print(path.read_text(encoding="utf-8"), end="", flush=True)


def say(text: str) -> None:
    """A heading."""
    print(f"\n# {text}", flush=True)


def shell(command: str) -> None:
    """Show a command as it would be typed."""
    print(f"$ {command}", flush=True)


def zen(*arguments: str) -> None:
    """Run the command line, in a process of its own; end the demo when it fails."""
    shell(f"zen {' '.join(arguments)}")
    done = subprocess.run([sys.executable, "-m", "zen_core.cli", *arguments], check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
