import re
from pathlib import Path

from zen_prefect import PrefectAdapter
from zen_prefect.options import PrefectOptions

README = (Path(__file__).parents[3] / "adapters" / "zen_prefect" / "README.md").read_text(encoding="utf-8")


def test_feature_table_says_what_the_adapter_says():
    support = PrefectAdapter().support(PrefectOptions())
    told = {
        name: line.split("|")[2].strip()
        for line in README.split("## Features")[1].split("## Retries")[0].splitlines()
        if re.match(r"\| [a-z_, ]+ \|", line) and not line.startswith("| feature |")
        for name in line.split("|")[1].strip().split(", ")
    }
    assert set(told) == {feature.value for feature in support}
    for feature, found in support.items():
        assert found.level in told[feature.value]


def test_every_option_is_shown():
    for name in PrefectOptions.model_fields:
        assert name in README
