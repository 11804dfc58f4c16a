import pytest

from zen_core.codegen.names import free_identifier, refuse_name, target_identifiers
from zen_core.errors import NameCollisionError


def test_names_of_python_and_of_the_file_get_an_underscore():
    found = target_identifiers(["load", "class", "filter", "task"], reserved=frozenset({"task"}))
    assert found == {"load": "load", "class": "class_", "filter": "filter_", "task": "task_"}


def test_every_collision_is_named_with_both_steps_and_the_way_out():
    with pytest.raises(NameCollisionError) as caught:
        target_identifiers(["class_", "class", "id", "id_"])
    assert len(caught.value.diagnostics) == 2
    text = str(caught.value)
    assert "'class_' and 'class' are both 'class_'" in text
    assert '.with_options(name="class_step")' in text


def test_a_name_that_nobody_sees_moves_out_of_the_way():
    assert free_identifier("x_refs", ["x_refs", "x_refs_"]) == "x_refs__"
    assert free_identifier("list", []) == "list_"


def test_a_kept_name_is_refused_with_its_purpose():
    error = refuse_name("zen_end", purpose="the closing task has this name", where="flows.py:3")
    assert "'zen_end'" in str(error)
    assert "flows.py:3" in str(error)
