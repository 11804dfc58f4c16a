"""Artifacts by name and version."""

import pytest

from zen_core.contract.settings import Settings
from zen_core.errors import NotFoundError
from zen_metadata.query import Client


def test_the_newest_version_is_the_one_that_a_name_stands_for(history):
    for key in ("1", "2"):
        history.complete(history.run(key))
    newest = history.client.artifact("model")
    assert newest.version == 2
    assert newest.run_id == history.client.run().run_id
    assert newest.step == "train"
    assert newest.load() == {"depth": 2}
    assert history.client.artifact("model", 1).version == 1
    assert history.client.artifact("model@1").version == 1


def test_an_artifact_is_found_by_its_longer_names_and_its_id(history):
    _, model, _ = history.complete(history.run())
    for name in ("model", "churn/model", "demo/churn/model", model.artifact_id):
        assert history.client.artifact(name).artifact_id == model.artifact_id


def test_an_output_without_a_name_is_called_after_its_step(history):
    history.complete(history.run())
    assert {artifact.name for artifact in history.client.artifacts()} == {"load", "model", "score"}
    assert history.client.artifact("score").load() == 0.5


def test_versions_are_listed_newest_first(history):
    for key in ("1", "2", "3"):
        history.complete(history.run(key))
    assert [artifact.version for artifact in history.client.artifacts("model")] == [3, 2, 1]


def test_versions_are_paged_whatever_is_added_meanwhile(history):
    for key in range(3):
        history.complete(history.run(str(key)))
    whole = [artifact.artifact_id for artifact in history.client.artifacts()]
    assert len(whole) == 9
    first = history.client.artifacts(limit=4)
    history.complete(history.run("meanwhile"))
    second = history.client.artifacts(limit=4, before=first[-1])
    third = history.client.artifacts(limit=4, before=second[-1].artifact_id)
    assert [item.artifact_id for item in (*first, *second, *third)] == whole
    assert [item.artifact_id for item in history.client.artifacts(limit=4, after=third[-1])] == whole[4:8]


def test_the_versions_of_a_name_are_paged(history):
    for key in range(5):
        history.complete(history.run(str(key)))

    def versions(**page):
        return [item.version for item in history.client.artifacts("model", **page)]

    assert versions(limit=2) == [5, 4]
    assert versions(limit=2, before="model@4") == [3, 2]
    assert versions(limit=2, after="model@2") == [4, 3]


def test_what_one_step_made_at_once_is_paged(history):
    run = history.run()
    made = [(name, number) for number, name in enumerate("dbca")]
    history.do(run, "load", outputs=made)
    pages = []
    page = history.client.artifacts(limit=1)
    while page:
        pages += page
        page = history.client.artifacts(limit=1, before=page[-1])
    assert [item.name for item in pages] == ["a", "b", "c", "d"]


def test_an_unknown_name_is_an_error_that_names_the_nearest(history):
    history.complete(history.run())
    with pytest.raises(NotFoundError, match=r"no artifact 'modle' in project 'demo'(.|\n)*did you mean 'model'\?"):
        history.client.artifact("modle")
    with pytest.raises(NotFoundError, match=r"zen artifacts lists what there is"):
        history.client.artifact("zzz")


def test_an_unknown_version_is_an_error_that_says_which_there_are(history):
    for key in ("1", "2", "3"):
        history.complete(history.run(key))
    with pytest.raises(NotFoundError, match=r"demo/churn/model has no version 9(.|\n)*there are versions 1-3"):
        history.client.artifact("model", 9)


def test_a_name_that_several_artifacts_have_is_an_error_that_lists_them(history, other_pipeline):
    history.complete(history.run())
    history.do(history.run(spec=other_pipeline), "train", outputs=[("model", 1)])
    with pytest.raises(NotFoundError) as caught:
        history.client.artifact("model")
    assert caught.value.message == "there are 2 artifacts named 'model'"
    assert caught.value.diagnostics[0].why == "demo/churn/model, demo/fraud/model"
    assert history.client.artifact("fraud/model").load() == 1


def test_another_projects_artifacts_are_seen_only_by_their_full_name(history):
    _, model, _ = history.complete(history.run())
    settings = Settings(
        root=history.settings.root,
        project="other",
        lineage_url=history.settings.lineage_url,
        artifact_url=history.settings.artifact_url,
    )
    with Client(settings) as other:
        assert other.artifacts() == []
        with pytest.raises(NotFoundError, match="no artifact 'model' in project 'other'"):
            other.artifact("model")
        assert other.artifact("demo/churn/model").artifact_id == model.artifact_id


def test_credentials_are_not_shown(history):
    _, model, _ = history.complete(history.run())
    settings = Settings(
        root=history.settings.root,
        project="demo",
        lineage_url=history.settings.lineage_url,
        artifact_url="s3://user:secret@bucket/zen",
    )
    with Client(settings) as client:
        assert client.artifact("model").uri == f"s3://bucket/zen/{model.location}"


def test_the_document_has_the_promised_shape(history):
    _, model, _ = history.complete(history.run())
    document = history.client.artifact("model").to_json()
    promised = {"name", "version", "artifact_id", "digest", "type", "uri", "size_bytes", "run_id", "step"}
    assert document.keys() >= promised
    assert document["name"] == "model"
    assert document["uri"] == f"{history.settings.artifact_url}/{model.location}"


def test_the_document_and_the_list_say_which_version_is_current(history):
    for key in ("1", "2", "3"):
        history.complete(history.run(key))
    listed = {item.version: item.current for item in history.client.artifacts("model")}
    assert listed == {3: True, 2: False, 1: False}
    assert {item.version for item in history.client.artifacts() if item.current} == {3}
    assert history.client.artifact("model", 2).to_json()["current"] is False
    assert history.client.artifact("model", 3).to_json()["current"] is True
    assert [item.current for item in history.client.artifacts(history.client.artifact("model", 2).artifact_id)] == [
        False
    ]
    made = history.client.run().step("train").output("model")
    assert made.current, "also of a version that came with its run"
