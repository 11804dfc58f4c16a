import re
from pathlib import Path

from zen_dagster import DagsterAdapter
from zen_dagster.options import DagsterOptions

README = (Path(__file__).parents[3] / "adapters" / "zen_dagster" / "README.md").read_text(encoding="utf-8")


def test_feature_table_says_what_the_adapter_says():
    support = DagsterAdapter().support(DagsterOptions())
    told = {
        name: line.split("|")[2].strip()
        for line in README.split("## Features")[1].split("## Options")[0].splitlines()
        if re.match(r"\| [a-z_, ]+ \|", line) and not line.startswith("| feature |")
        for name in line.split("|")[1].strip().split(", ")
    }
    assert set(told) == {feature.value for feature in support}
    for feature, found in support.items():
        assert found.level in told[feature.value]


def test_every_option_is_shown():
    for name in DagsterOptions.model_fields:
        assert name in README
