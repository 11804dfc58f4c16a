"""Names of variables count where they tell how a process is set up, not where it was started."""

from __future__ import annotations

from zen_core.environment.variables import setup_variables


def test_settings_count_and_sessions_do_not() -> None:
    settings = {
        "CUDA_VISIBLE_DEVICES",
        "LANG",
        "MODEL_URL",
        "OMP_NUM_THREADS",
        "PYTHONPATH",
        "ZEN_STACK",
        "AIRFLOW__CORE__DAGS_FOLDER",
    }
    session = {
        "_",
        "SHLVL",
        "PWD",
        "HOME",
        "TERM",
        "TERM_PROGRAM",
        "SSH_CLIENT",
        "TMUX",
        "TMUX_PANE",
        "XDG_SESSION_ID",
        "HOSTNAME",
    }
    task = {
        "AIRFLOW_CTX_DAG_ID",
        "_AIRFLOW_PARSING_CONTEXT_DAG_ID",
        "PREFECT__FLOW_RUN_ID",
        "KFP_POD_NAME",
        "PYTEST_CURRENT_TEST",
        "GITHUB_SHA",
    }
    assert setup_variables(settings | session | task) == sorted(settings)


def test_services_that_kubernetes_tells_of_do_not_count() -> None:
    service = {
        "REDIS_SERVICE_HOST",
        "REDIS_SERVICE_PORT",
        "REDIS_SERVICE_PORT_HTTP",
        "REDIS_PORT",
        "REDIS_PORT_6379_TCP",
        "REDIS_PORT_6379_TCP_ADDR",
    }
    own = {"MODEL_PORT", "DB_PORT"}
    assert setup_variables(service | own | {"KUBERNETES_PORT"}) == sorted(own)
    assert setup_variables({"REDIS_PORT"}) == ["REDIS_PORT"]
