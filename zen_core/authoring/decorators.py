"""`@step` and `@pipeline`. Light: what a build needs is imported when a pipeline is built."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NoReturn, ParamSpec, overload

from zen_core.authoring.active import active_trace
from zen_core.authoring.code_location import caller_place
from zen_core.authoring.options import (
    Cache,
    Environment,
    Resources,
    Retry,
    Schedule,
    find_wrong_counts,
    find_wrong_texts,
    option_problem,
)
from zen_core.authoring.problems import not_a_function, outside_a_pipeline, pipeline_called, pipeline_mapped
from zen_core.authoring.quantities import Duration
from zen_core.authoring.step_options import KEEP, StepOptions, step_options
from zen_core.contract.defined_at import DEFINED_AT
from zen_core.errors import DefinitionError

if TYPE_CHECKING:
    from zen_core.authoring.building import BuiltPipeline
    from zen_core.contract.settings import Settings

P = ParamSpec("P")


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
        retry: Retry | None = KEEP,
        timeout: Duration | None = KEEP,
        resources: Resources | None = KEEP,
        cache: Cache | bool | None = KEEP,
        environment: Environment | None = KEEP,
        tags: Sequence[str] = KEEP,
        chunk: int | None = KEEP,
        max_parallel: int | None = KEEP,
    ) -> Step[P]:
        """The same step with other options; those that are not given stay, None takes one away.

        Args:
            chunk: as in `map`; for a function that has a parameter of that name, since there it is an argument.
            max_parallel: likewise.

        Raises:
            DefinitionError: an option has a value that cannot be.
        """
        options = step_options(
            self.options,
            name=name,
            retry=retry,
            timeout=timeout,
            resources=resources,
            cache=cache,
            environment=environment,
            tags=tags,
            chunk=chunk,
            max_parallel=max_parallel,
        )
        return Step(
            self.function,
            options,
            base_name=name or self.base_name,
            given_name=name or self.given_name,
            runs_after=self.runs_after,
        )

    def map(self, *args: Any, chunk: int | None = KEEP, max_parallel: int | None = KEEP, **kwargs: Any) -> Any:
        """Run the step once for each element of the lists that steps hand over; its outputs are lists, in that order.

        An argument that is the result of a step is mapped, several of them together, which must be of equal length;
        anything else is the same for every element, and so is a result in `broadcast(…)`. A result of a mapped step
        is mapped on element by element.

        Args:
            chunk: how many elements one task of the orchestrator runs; default: 1.
            max_parallel: how many of these tasks may run at the same time.

        Raises:
            DefinitionError: outside a pipeline's body.
        """
        trace = active_trace.get()
        if trace is None:
            raise DefinitionError(diagnostics=[outside_a_pipeline(caller_place(), f"{self.base_name}.map")])
        options = {"chunk": chunk, "max_parallel": max_parallel}
        return trace.map(self, args, kwargs, {name: value for name, value in options.items() if value is not KEEP})

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
        cache: Cache | bool | None = None,
    ) -> None:
        self.function = function
        self.name = name
        self.on_failure = on_failure
        self.on_success = on_success
        self.environment = environment
        self.cache = cache
        self.max_parallel = max_parallel
        self.schedule = schedule
        self.tags = tags
        self.description = description
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """In another pipeline's body: make the steps of this one part of it, and answer with what its body returns.

        Its schedule, tags, hooks, environment and cache policy do not count there: they are those of the pipeline that
        is run.

        Raises:
            DefinitionError: anywhere else, since a pipeline is run with `run`, and compiled with `zen compile`.
        """
        trace = active_trace.get()
        if trace is not None:
            from zen_core.authoring.inlining import inline

            return inline(trace, self, args, kwargs)
        raise DefinitionError(diagnostics=[pipeline_called(caller_place(), self.name)])

    def map(self, *_: Any, **__: Any) -> NoReturn:
        """Refused: a pipeline is no step.

        Raises:
            DefinitionError: always.
        """
        raise DefinitionError(diagnostics=[pipeline_mapped(caller_place(), self.name)])

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
    options = step_options(
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
        with contextlib.suppress(AttributeError, TypeError):  # a built-in function, whose source nobody edits
            setattr(function, DEFINED_AT, time.time_ns())
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
    cache: Cache | bool | None = None,
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
    cache: Cache | bool | None = None,
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
        cache: the policy of those of its steps that have inputs and outputs and no policy of their own: False, or a
            Cache; default: a result is reused for as long as it is there.

    Raises:
        DefinitionError: an option has a value that cannot be, or it is put on something that is no function.
    """
    found = []
    if schedule is not None and not isinstance(schedule, Schedule):
        found.append(option_problem("schedule", schedule, 'write schedule=Schedule(cron="0 6 * * *")'))
    found.extend(find_wrong_texts(name, tags))
    if description is not None and not isinstance(description, str):
        found.append(option_problem("description", description, "write a text"))
    if environment is not None and not isinstance(environment, Environment):
        hint = 'write environment=Environment(requirements=["torch>=2.4"])'
        found.append(option_problem("environment", environment, hint))
    if cache is not None and not isinstance(cache, (Cache, bool)):
        found.append(option_problem("cache", cache, 'write False or cache=Cache(ttl="7d")'))
    found.extend(find_wrong_counts({"max_parallel": max_parallel}))
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
            cache=cache,
        )

    return decorate if function is None else decorate(function)


def _as_hooks(hooks: Any) -> tuple[Any, ...]:
    return tuple(hooks) if isinstance(hooks, (list, tuple)) else (hooks,)


def _require_function(function: object, decorator: str) -> None:
    """Raise DefinitionError unless it is a function: something callable with a name of its own, and no class."""
    if callable(function) and not isinstance(function, (type, Step, Pipeline)) and hasattr(function, "__qualname__"):
        return
    what = f"the class {function.__qualname__}" if isinstance(function, type) else f"{function!r:.60}"
    raise DefinitionError(diagnostics=[not_a_function(caller_place(), decorator, what)])
