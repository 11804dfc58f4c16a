"""`@step` and `@pipeline`. Light: what a build needs is imported when a pipeline is built."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, overload

from zen_core.authoring.active import active_trace
from zen_core.authoring.code_location import caller_place
from zen_core.authoring.options import DURATION_HINT, Cache, Environment, Resources, Retry, Schedule, option_problem
from zen_core.authoring.problems import not_a_function, outside_a_pipeline, pipeline_called
from zen_core.authoring.quantities import Duration, parse_duration
from zen_core.diagnostics import Diagnostic
from zen_core.errors import DefinitionError

if TYPE_CHECKING:
    from zen_core.authoring.building import BuiltPipeline
    from zen_core.contract.settings import Settings

P = ParamSpec("P")
_KEEP: Any = object()
"""Stands for "this option is not given", since None turns an option off."""


@dataclass(frozen=True)
class StepOptions:
    """How a step is to be run, as it was written; checked by `_step_options`."""

    retry: Retry | None = None
    timeout_seconds: float | None = None
    resources: Resources | None = None
    cache: Cache | bool | None = None
    environment: Environment | None = None
    tags: tuple[str, ...] = ()


class Step(Generic[P]):
    """A function that a pipeline can run as a step. Called outside a pipeline's body it is the plain function.

    Attributes:
        function: the plain function.
        base_name: the step's name, before a number is added for its second call.
        given_name: the exact name given by `with_options`, or "".
        runs_after: results whose steps each call of this step runs after.
    """

    __wrapped__: Callable[..., Any]

    def __init__(
        self,
        function: Callable[..., Any],
        options: StepOptions,
        *,
        base_name: str,
        given_name: str = "",
        runs_after: tuple[Any, ...] = (),
    ) -> None:
        self.function = function
        self.options = options
        self.base_name = base_name
        self.given_name = given_name
        self.runs_after = runs_after
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Run the function; in a pipeline's body, record a step and answer with what stands for its outputs."""
        trace = active_trace.get()
        return self.function(*args, **kwargs) if trace is None else trace.call(self, args, kwargs)

    def with_options(
        self,
        *,
        name: str | None = None,
        retry: Retry | None = _KEEP,
        timeout: Duration | None = _KEEP,
        resources: Resources | None = _KEEP,
        cache: Cache | bool | None = _KEEP,
        environment: Environment | None = _KEEP,
        tags: Sequence[str] = _KEEP,
    ) -> Step[P]:
        """The same step with other options; those that are not given stay, None takes one away.

        Raises:
            DefinitionError: an option has a value that cannot be.
        """
        options = _step_options(
            self.options,
            name=name,
            retry=retry,
            timeout=timeout,
            resources=resources,
            cache=cache,
            environment=environment,
            tags=tags,
        )
        return Step(
            self.function,
            options,
            base_name=name or self.base_name,
            given_name=name or self.given_name,
            runs_after=self.runs_after,
        )

    def map(self, *args: Any, chunk: int | None = None, max_parallel: int | None = None, **kwargs: Any) -> Any:
        """Run the step once for each element of the lists that steps hand over; its outputs are lists, in that order.

        An argument that is the result of a step is mapped, several of them together, which must be of equal length;
        anything else is the same for every element, and so is a result in `broadcast(…)`. A result of a mapped step
        is mapped on element by element.

        Args:
            chunk: how many elements one task of the orchestrator runs; default: 1.
            max_parallel: how many tasks may run at the same time.

        Raises:
            DefinitionError: outside a pipeline's body, or an option has a value that cannot be.
        """
        trace = active_trace.get()
        if trace is None:
            raise DefinitionError(diagnostics=[outside_a_pipeline(caller_place(), f"{self.base_name}.map")])
        found = [
            option_problem(f"map({option}=…)", value, "write a whole number from 1")
            for option, value in (("chunk", chunk), ("max_parallel", max_parallel))
            if value is not None and not _is_count(value)
        ]
        trace.diagnostics.extend(found)
        return trace.map(
            self,
            args,
            kwargs,
            chunk=chunk if _is_count(chunk) else None,
            max_parallel=max_parallel if _is_count(max_parallel) else None,
        )

    def after(self, *steps: Any) -> Step[P]:
        """The same step, each of whose calls runs after the steps of these results."""
        return Step(
            self.function,
            self.options,
            base_name=self.base_name,
            given_name=self.given_name,
            runs_after=(*self.runs_after, *steps),
        )

    def __repr__(self) -> str:
        return f"<step {self.base_name!r}>"

    def __reduce__(self) -> str:
        # Pickled by name, as the plain function would be.
        return self.function.__qualname__


class Pipeline(Generic[P]):
    """A pipeline. Its function only describes the steps; it is run once, when the pipeline is built.

    Attributes:
        function: the plain function.
    """

    __wrapped__: Callable[..., Any]

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str,
        schedule: Schedule | None = None,
        tags: tuple[str, ...] = (),
        description: str | None = None,
        on_failure: tuple[Step[Any], ...] = (),
        on_success: tuple[Step[Any], ...] = (),
        environment: Environment | None = None,
        max_parallel: int | None = None,
    ) -> None:
        self.function = function
        self.name = name
        self.on_failure = on_failure
        self.on_success = on_success
        self.environment = environment
        self.max_parallel = max_parallel
        self.schedule = schedule
        self.tags = tags
        self.description = description
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """In another pipeline's body: make the steps of this one part of it, and answer with what its body returns.

        Its schedule, tags, hooks and environment do not count there: they are those of the pipeline that is run.

        Raises:
            DefinitionError: anywhere else, since a pipeline is run with `run`, and compiled with `zen compile`.
        """
        trace = active_trace.get()
        if trace is not None:
            return trace.inline(self, args, kwargs)
        raise DefinitionError(diagnostics=[pipeline_called(caller_place(), self.name)])

    def build(self, settings: Settings | None = None) -> BuiltPipeline:
        """The pipeline as data.

        Args:
            settings: those of the project; None: found from the pipeline's own file.

        Raises:
            DefinitionError: with all problems of the definition, each with file and line.
        """
        from zen_core.authoring.building import build_pipeline

        return build_pipeline(self, settings)

    def run(self, /, **parameters: Any) -> Any:
        """Run on this machine, with these parameters, and answer with the run as it was recorded.

        Raises:
            DefinitionError: the definition is wrong.
            ParameterError: a parameter is unknown, missing or of the wrong type.
            Exception: what the user's code in a step raised, unchanged.
        """
        from zen_core.authoring.execution import run_pipeline

        return run_pipeline(self, parameters)

    def __repr__(self) -> str:
        return f"<pipeline {self.name!r}>"


@overload
def step(function: Callable[P, Any], /) -> Step[P]: ...


@overload
def step(
    *,
    name: str | None = None,
    retry: Retry | None = None,
    timeout: Duration | None = None,
    resources: Resources | None = None,
    cache: Cache | bool | None = None,
    environment: Environment | None = None,
    tags: Sequence[str] = (),
) -> Callable[[Callable[P, Any]], Step[P]]: ...


def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    retry: Retry | None = None,
    timeout: Duration | None = None,
    resources: Resources | None = None,
    cache: Cache | bool | None = None,
    environment: Environment | None = None,
    tags: Sequence[str] = (),
) -> Any:
    """Make a function a step: `@step`, or `@step(retry=Retry(times=2), timeout="1h")`.

    Args:
        name: the step's name; default: the function's.
        retry: further attempts after a failure.
        timeout: the longest time that one attempt may take.
        resources: what the step needs of a machine.
        cache: when its result is reused: True, False, or a policy; default: when it has inputs and outputs.
        environment: what it needs around its code.
        tags: words to find it by.

    Raises:
        DefinitionError: an option has a value that cannot be, or it is put on something that is no function.
    """
    options = _step_options(
        StepOptions(),
        name=name,
        retry=retry,
        timeout=timeout,
        resources=resources,
        cache=cache,
        environment=environment,
        tags=tags,
    )

    def decorate(function: Callable[..., Any]) -> Step[Any]:
        _require_function(function, "step")
        return Step(function, options, base_name=name or function.__name__)

    return decorate if function is None else decorate(function)


@overload
def pipeline(function: Callable[P, Any], /) -> Pipeline[P]: ...


@overload
def pipeline(
    *,
    name: str | None = None,
    schedule: Schedule | None = None,
    tags: Sequence[str] = (),
    description: str | None = None,
    on_failure: Step[Any] | Sequence[Step[Any]] = (),
    on_success: Step[Any] | Sequence[Step[Any]] = (),
    environment: Environment | None = None,
    max_parallel: int | None = None,
) -> Callable[[Callable[P, Any]], Pipeline[P]]: ...


def pipeline(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    schedule: Schedule | None = None,
    tags: Sequence[str] = (),
    description: str | None = None,
    on_failure: Step[Any] | Sequence[Step[Any]] = (),
    on_success: Step[Any] | Sequence[Step[Any]] = (),
    environment: Environment | None = None,
    max_parallel: int | None = None,
) -> Any:
    """Make a function a pipeline: `@pipeline`, or `@pipeline(schedule=Schedule(cron="0 6 * * *"))`.

    Args:
        name: the pipeline's name; default: the function's.
        schedule: when an orchestrator starts it by itself.
        tags: words to find it by.
        description: what it is for; default: the function's docstring.
        on_failure: a step, or several, to run after the run has failed. A hook takes parameters of the pipeline by
            name; what failed is in `current().failures`. It never changes how the run ended.
        on_success: likewise, after the run has completed.
        environment: what those of its steps need that do not say it themselves.
        max_parallel: how many steps of one run may run at the same time.

    Raises:
        DefinitionError: an option has a value that cannot be, or it is put on something that is no function.
    """
    found = []
    if schedule is not None and not isinstance(schedule, Schedule):
        found.append(option_problem("schedule", schedule, 'write schedule=Schedule(cron="0 6 * * *")'))
    found.extend(_find_wrong_texts(name, tags))
    if description is not None and not isinstance(description, str):
        found.append(option_problem("description", description, "write a text"))
    if environment is not None and not isinstance(environment, Environment):
        hint = 'write environment=Environment(requirements=["torch>=2.4"])'
        found.append(option_problem("environment", environment, hint))
    if max_parallel is not None and not _is_count(max_parallel):
        found.append(option_problem("max_parallel", max_parallel, "write a whole number from 1"))
    for option, value in (("on_failure", on_failure), ("on_success", on_success)):
        if not all(isinstance(hook, Step) for hook in _as_hooks(value)):
            hint = f"write a function decorated with @step, or a list of such: {option}=notify"
            found.append(option_problem(option, value, hint))
    if found:
        raise DefinitionError(diagnostics=found)

    def decorate(function: Callable[..., Any]) -> Pipeline[Any]:
        _require_function(function, "pipeline")
        return Pipeline(
            function,
            name=name or function.__name__,
            schedule=schedule,
            tags=tuple(sorted(set(tags))),
            description=description,
            on_failure=_as_hooks(on_failure),
            on_success=_as_hooks(on_success),
            environment=environment,
            max_parallel=max_parallel,
        )

    return decorate if function is None else decorate(function)


def _step_options(
    base: StepOptions,
    *,
    name: object,
    retry: Any,
    timeout: Any,
    resources: Any,
    cache: Any,
    environment: Any,
    tags: Any,
) -> StepOptions:
    """The options with those replaced that are given. Raises DefinitionError with all that cannot be."""
    found = _find_wrong_texts(name, () if tags is _KEEP else tags)
    for option, value, kinds, hint in (
        ("retry", retry, Retry, 'write retry=Retry(times=2, delay="30s")'),
        ("resources", resources, Resources, 'write resources=Resources(cpu=2, memory="4Gi")'),
        ("cache", cache, (Cache, bool), 'write True, False or cache=Cache(ttl="7d")'),
        ("environment", environment, Environment, 'write environment=Environment(requirements=["torch>=2.4"])'),
    ):
        if value is not _KEEP and value is not None and not isinstance(value, kinds):
            found.append(option_problem(option, value, hint))
    seconds = _KEEP if timeout is _KEEP else None
    if timeout is not _KEEP and timeout is not None:
        try:
            seconds = parse_duration(timeout)
        except ValueError:
            seconds = 0.0
        if not seconds:
            found.append(option_problem("timeout", timeout, f"{DURATION_HINT}; None sets no timeout"))
    if found:
        raise DefinitionError(diagnostics=found)
    given = {
        "retry": retry,
        "timeout_seconds": seconds,
        "resources": resources,
        "cache": cache,
        "environment": environment,
        "tags": tags if tags is _KEEP else tuple(sorted(set(tags))),
    }
    return replace(base, **{option: value for option, value in given.items() if value is not _KEEP})


def _as_hooks(hooks: Any) -> tuple[Any, ...]:
    return tuple(hooks) if isinstance(hooks, (list, tuple)) else (hooks,)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _find_wrong_texts(name: object, tags: object) -> list[Diagnostic]:
    found = []
    if name is not None and not (isinstance(name, str) and name):
        found.append(option_problem("name", name, "write a text"))
    is_list = isinstance(tags, (list, tuple, set, frozenset))
    if not is_list or not all(isinstance(tag, str) and tag.strip() for tag in tags):  # type: ignore[attr-defined]
        found.append(option_problem("tags", tags, 'write a list of texts, such as ["churn"]'))
    return found


def _require_function(function: object, decorator: str) -> None:
    """Raise DefinitionError unless it is a function: something callable with a name of its own, and no class."""
    if callable(function) and not isinstance(function, (type, Step, Pipeline)) and hasattr(function, "__qualname__"):
        return
    what = f"the class {function.__qualname__}" if isinstance(function, type) else f"{function!r:.60}"
    raise DefinitionError(diagnostics=[not_a_function(caller_place(), decorator, what)])
