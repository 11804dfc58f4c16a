"""How much hypothesis looks: little by default, so that the suite stays quick; ZEN_HYPOTHESIS=large looks longer."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("small", max_examples=25, deadline=None, derandomize=True, database=None)
settings.register_profile(
    "large", max_examples=2000, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("ZEN_HYPOTHESIS", "small"))
