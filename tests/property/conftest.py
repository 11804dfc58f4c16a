"""How much hypothesis looks: little by default, so that the suite stays quick; ZEN_HYPOTHESIS=large looks longer."""

import os

from hypothesis import HealthCheck, settings

# How long making examples takes says something about the machine, and nothing about the code.
ANY_MACHINE = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("small", max_examples=25, derandomize=True, **ANY_MACHINE)
settings.register_profile("large", max_examples=2000, **ANY_MACHINE)
settings.load_profile(os.environ.get("ZEN_HYPOTHESIS", "small"))
