"""The shipped suite, run for every adapter that is installed."""

from zen_core.testing.conformance.test_emission import (  # noqa: F401
    test_branches_and_maps_arrive,
    test_every_feature_is_declared,
    test_manifest_travels_beside_the_code,
    test_only_the_orchestrator_and_the_runtime_are_imported,
    test_parameters_arrive_as_they_are,
    test_python_files_parse_and_say_where_they_come_from,
    test_retries_and_timeouts_arrive,
    test_text_is_the_same_in_any_process,
    test_text_names_no_place_person_or_time,
    test_topology_in_the_text_is_that_of_the_pipeline,
    test_what_is_unsupported_is_refused_by_name,
)
