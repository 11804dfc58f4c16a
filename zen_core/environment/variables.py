"""The names of environment variables that say how a process is set up. Their values are never read."""

from __future__ import annotations

from collections.abc import Iterable

# Set by a terminal, a login, a desktop or a service manager for one session.
_OF_SESSION = (
    "_", "SHLVL", "PWD", "OLDPWD", "HOME", "USER", "LOGNAME", "MAIL", "HOSTNAME", "SHELL", "TERM", "COLORTERM",
    "COLUMNS", "LINES", "PAGER", "LESS", "LESSOPEN", "LESSCLOSE", "LS_COLORS", "DISPLAY", "WAYLAND_DISPLAY",
    "WINDOWID", "XAUTHORITY", "XDG_RUNTIME_DIR", "XDG_VTNR", "XDG_CURRENT_DESKTOP", "XDG_MENU_PREFIX", "TMUX",
    "STY", "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID",
)  # fmt: skip
_OF_SESSION_BY_PREFIX = (
    "TERM_", "XDG_SESSION_", "XDG_SEAT", "DBUS_", "SSH_", "SUDO_", "GPG_", "TMUX_", "VSCODE_", "GNOME_", "KDE_",
    "ITERM_", "KONSOLE_", "ALACRITTY_", "KITTY_", "WEZTERM_", "__CF",
)  # fmt: skip
# Set by an orchestrator, a tracker, a test runner or a CI system for one task.
_OF_TASK = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID")
_OF_TASK_BY_PREFIX = (
    "AIRFLOW_CTX_", "AIRFLOW_PARSING_", "_AIRFLOW_", "PREFECT__", "KFP_", "ARGO_", "DAGSTER_RUN_", "PYTEST_",
    "COV_CORE_", "GITHUB_", "RUNNER_", "CI_", "GITLAB_", "KUBERNETES_", "_ZEN_",
)  # fmt: skip
_SERVICE = "_SERVICE_HOST"


def setup_variables(names: Iterable[str]) -> list[str]:
    """The names, sorted, without those that come and go while nothing is set up otherwise.

    What a terminal, a login, an orchestrator or Kubernetes' service discovery sets for one process is left out: with
    it, each terminal and each task would count as an environment of its own.
    """
    exact, prefixes = {*_OF_SESSION, *_OF_TASK}, _OF_SESSION_BY_PREFIX + _OF_TASK_BY_PREFIX
    kept = [name for name in names if name not in exact and not name.startswith(prefixes)]
    services = [name.removesuffix(_SERVICE) for name in kept if name.endswith(_SERVICE)]
    return sorted(name for name in kept if not any(_is_of_service(name, service) for service in services))


def _is_of_service(name: str, service: str) -> bool:
    """Kubernetes tells every pod of every service: REDIS_SERVICE_HOST, REDIS_SERVICE_PORT, REDIS_PORT_6379_TCP, …"""
    if not name.startswith(f"{service}_"):
        return False
    rest = name.removeprefix(f"{service}_")
    if rest in ("SERVICE_HOST", "SERVICE_PORT", "PORT") or rest.startswith("SERVICE_PORT_"):
        return True
    kind, number, *_ = [*rest.split("_", 2), ""]
    return kind == "PORT" and number.isdigit()
