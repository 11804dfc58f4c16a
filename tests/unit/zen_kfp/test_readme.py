import re
from pathlib import Path

from zen_kfp import KfpAdapter
from zen_kfp.options import KfpOptions

README = (Path(__file__).parents[3] / "adapters" / "zen_kfp" / "README.md").read_text(encoding="utf-8")


def test_feature_table_says_what_the_adapter_says():
    support = KfpAdapter().support(KfpOptions())
    told = {}
    for line in README.split("## Features")[1].split("## How")[0].splitlines():
        if re.match(r"\| [a-z_]+ \|", line) and not line.startswith("| feature |"):
            name, level, how = (cell.strip() for cell in line.strip("|").split("|"))
            told[name] = (level, how)
    assert set(told) == {feature.value for feature in support}
    for feature, found in support.items():
        level, how = told[feature.value]
        assert level == found.level
        assert how == found.reason or (found.level == "native" and how)


def test_every_option_is_shown():
    for name in KfpOptions.model_fields:
        assert name in README
