"""`zen gc`, `zen forget`, `zen cache`."""

import json
import re

import pytest


@pytest.fixture
def used(project):
    """Two runs with other parameters, and one that reused the first."""
    for depth in (4, 2, 4):
        project.run("--param", f"depth={depth}")
    return project


def error(result):
    assert result.exit_code == 2, result.output
    return result.stderr


def test_gc_says_what_would_go_and_deletes_when_told_to(used):
    used.run("--param", "depth=3")
    said = used.zen("gc", "--older-than", "0s", "--keep", "model")
    assert said.exit_code == 0, said.stderr
    assert re.search(r"^churn/load +2 versions$", said.stdout, re.MULTILINE)
    assert "would delete 4 versions and 2 files" in said.stdout
    assert "2 older versions stay: they are kept by name" in said.stdout
    assert said.stdout.endswith("zen gc --delete lets it go\n")
    document = used.json("gc", "--older-than", "0s", "--keep", "model", "--delete")
    assert {(item["name"], item["version"]) for item in document["versions"]} == {
        *(("load", version) for version in (1, 2)),
        *(("score", version) for version in (1, 2)),
    }
    assert (document["deleted"], document["older_than_seconds"], document["kept"]["kept"]) == (True, 0.0, 2)
    assert used.zen("gc").stdout == "nothing to delete\n"
    shown = used.zen("artifacts", "load").stdout
    assert shown.count("deleted") == 2
    tombstone = used.json("artifacts", "load@1")[0]
    assert (tombstone["deleted_reason"], bool(tombstone["deleted_by"])) == ("gc", True)


def test_gc_refuses_ages_and_names_that_are_none(used):
    assert "'soon' is no duration; write 30d, 12h or 90m" in error(used.zen("gc", "--older-than", "soon"))
    assert "did you mean 'model'?" in error(used.zen("gc", "--keep", "modell"))
    assert used.zen("gc", "--keep-last", "0").exit_code == 2


def test_forget_asks_first_and_does_not_without_a_terminal(used):
    before = used.zen("forget", "model@1")
    assert "1 artifact would be forgotten, and nobody was asked" in error(before)
    assert "hint   add --yes" in before.stderr
    assert json.loads(used.zen("forget", "model@1", "--json").stderr.splitlines()[-1])["hint"] == "add --yes"
    done = used.zen("forget", "model@1", "--yes", "--reason", "customer 4711 asked")
    assert done.exit_code == 0, done.stderr
    assert re.search(r"^churn/model +1 .* subject$", done.stdout, re.MULTILINE)
    assert "not reached: " in done.stdout
    assert re.search(r"model \(deleted on \d{4}-\d\d-\d\d by .*: customer 4711 asked\)", used.zen("show").stdout)
    assert "(deleted)" in used.zen("lineage", "model@1").stdout
    document = used.json("forget", "load@1", "--down", "--yes")
    assert [item["why"] for item in document["artifacts"]] == ["subject", "made of it", "same content"]
    assert set(document) == {"artifact_id", "artifacts", "in_use", "reason", "removed_bytes"}


def test_cache_ls_by_pipeline_step_and_key(used):
    entries = used.json("cache", "ls")
    assert len(entries) == 6
    assert [entry["step"] for entry in used.json("cache", "ls", "churn/load")] == ["load", "load"]
    assert len(used.json("cache", "ls", "churn")) == 6
    assert len(used.json("cache", "ls", "--limit", "2")) == 2
    newest, oldest = used.json("cache", "ls", "train")
    assert (oldest["hits"], newest["hits"]) == (1, 0)
    assert newest["age_seconds"] <= oldest["age_seconds"]
    assert [entry["key"] for entry in used.json("cache", "ls", oldest["key"][:20])] == [oldest["key"]]
    text = used.zen("cache", "ls", "train").stdout
    assert oldest["key"].removeprefix("sha256:")[:12] in text
    assert "did you mean 'train'" in error(used.zen("cache", "ls", "tran"))


def test_cache_invalidate(used):
    assert "2 entries would be invalidated, and nobody was asked" in error(used.zen("cache", "invalidate", "train"))
    assert used.json("cache", "invalidate", "train", "--yes")["invalidated"] == 2
    assert used.zen("cache", "invalidate", "train", "--yes").stdout == (
        "nothing to invalidate: all of them are out of use already\n"
    )
    assert [entry["invalidated_at"] is None for entry in used.json("cache", "ls", "train")] == [False, False]
    assert used.zen("cache", "ls", "train").stdout.count("invalidated") == 2
    run = used.run()
    assert {step["name"]: step["status"] for step in run["steps"]}["train"] == "completed"
    key = used.json("cache", "ls", "load")[0]["key"].removeprefix("sha256:")[:12]
    assert used.zen("cache", "invalidate", key, "--yes").stdout == "invalidated 1 entry of churn/load\n"
    assert used.json("cache", "invalidate", "--pipeline", "churn", "--yes")["invalidated"] == 4
    assert "is a pipeline" in error(used.zen("cache", "invalidate", "churn", "--yes"))
    assert "nothing is named" in error(used.zen("cache", "invalidate", "--yes"))
    assert "belongs to 'cherry'" in error(used.zen("cache", "invalidate", "--pipeline", "cherry", "--yes"))


def test_cache_stats(used):
    document = used.json("cache", "stats")
    by_step = {step["step"]: step for step in document["steps"]}
    assert (by_step["train"]["hits"], by_step["train"]["misses"]) == (1, 2)
    assert by_step["train"]["bytes_saved"] > 0
    assert document["hits"] == sum(step["hits"] for step in document["steps"]) == 3
    assert document["seconds_saved"] >= 0
    assert used.json("cache", "stats", "--since", "0s")["steps"] == []
    lines = used.zen("cache", "stats").stdout.splitlines()
    assert re.search(r"^all +3 +\d+ ", lines[-1])
