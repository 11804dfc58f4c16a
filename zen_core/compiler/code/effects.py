"""What modules do to definitions, and to the process, when they are imported: registries that are filled, settings
that are set, classes that are derived, seeds that are sown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from zen_core.compiler.code.modules import Module
from zen_core.compiler.code.project import WHOLE, Place, Project
from zen_core.compiler.code.statements import Statement

Effect = tuple[Module, Statement]


@dataclass(slots=True)
class _Effects:
    """Statements of top levels by what they alter, by what they read, and by what those read that bind nothing."""

    altered: dict[Place, list[Effect]] = field(default_factory=dict)
    read: dict[Place, list[Effect]] = field(default_factory=dict)
    worked_on: dict[Place, list[Effect]] = field(default_factory=dict)

    @staticmethod
    def add(index: dict[Place, list[Effect]], places: Iterable[Place], effect: Effect) -> None:
        """Enter a statement below each place."""
        for place in places:
            index.setdefault(place, []).append(effect)

    def update(self, other: _Effects) -> None:
        """Enter those of another top level."""
        for own, more in ((self.altered, other.altered), (self.read, other.read), (self.worked_on, other.worked_on)):
            for place, effects in more.items():
                own.setdefault(place, []).extend(effects)


@dataclass(frozen=True, slots=True)
class _Work:
    """What the body of a function or class alters, and what it reads."""

    alters: frozenset[Place]
    reads: frozenset[Place]


class ImportEffects:
    """The statements of top levels that alter definitions of the project.

    Only modules in which a word stands that matters are parsed for it.

    Attributes:
        project: whose modules they are.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._mentions: dict[tuple[str, bool], dict[str, list[Module]]] = {}
        self._setters: dict[str, tuple[frozenset[str], _Effects]] = {}
        self._untargeted: dict[str, list[Statement]] = {}
        self._effects_of: dict[str, _Effects] = {}
        self._work_of: dict[Place, _Work | None] = {}
        self._derived_of: dict[str, dict[Place, list[Place]]] = {}
        self._altering: dict[tuple[str, Place], tuple[Effect, ...]] = {}

    def untargeted(self, module: Module) -> list[Statement]:
        """Statements of the top level that alter nothing of the project's: they set up the process."""
        found = self._untargeted.get(module.name)
        if found is None:
            found = self._untargeted[module.name] = [
                statement
                for statement in module.index.effects
                if (not statement.assigns or self._sets_elsewhere(module, statement))
                and not self._has_target(module, statement)
            ]
        return found

    def _sets_elsewhere(self, module: Module, statement: Statement) -> bool:
        """Whether a statement sets what is not the project's: `os.environ["X"] = "1"`, `builtins.cut = trim`."""
        alters = module.names(statement).alters
        return any(isinstance(item, str) for path in alters for item in self.project.resolve(module, path))

    def altering(self, start: str, place: Place) -> tuple[Effect, ...]:
        """What alters a definition, or adds to it, in the modules that importing `start` imports.

        Statements of the top level: `TABLE["a"] = 1`, `settings.RATE = 2`, `register(f)`; a function below `@register`
        or `@cut.register`.
        """
        key = (start, place)
        found = self._altering.get(key)
        if found is None:
            found = self._altering[key] = tuple(self._find_altering(start, place))
        return found

    def _find_altering(self, start: str, place: Place) -> Iterator[Effect]:
        if self._is_logger(place):
            return
        words = {place.name}
        functions: set[Place] = set()
        is_variable = self.project.kind_of(place) == "variable"
        if is_variable:
            words |= self._find_altering_functions(start, place, functions)
        mentioned = self._mentioning(start, top=True)
        mentioning = {module.name: module for word in words for module in mentioned.get(word, ())}
        own = self.project.module(place.module)
        if own is not None:
            mentioning[place.module] = own
        # Those that set attributes may know it under a name of their own, or a computed one.
        setters, effects_of_setters = self._attribute_setters(start)
        searched = [self._effects(module) for name, module in mentioning.items() if name not in setters]
        found: dict[tuple[str, int], Effect] = {}
        for effects in (effects_of_setters, *searched):
            for effect in chain(
                effects.altered.get(place, ()),
                effects.altered.get(Place(place.module, WHOLE), ()),
                effects.worked_on.get(place, ()) if is_variable else (),
                *(effects.read[function] for function in effects.read.keys() & functions),
            ):
                found[effect[0].name, effect[1].position] = effect
        for key in sorted(found):
            yield found[key]

    def _mentioning(self, start: str, *, top: bool = False) -> dict[str, list[Module]]:
        """The modules of a closure by the words that stand in them; with `top`, in what their top levels do."""
        found = self._mentions.get((start, top))
        if found is None:
            found = self._mentions[start, top] = {}
            for module in self.project.closure(start):
                for word in module.top_words if top else module.words:
                    found.setdefault(word, []).append(module)
        return found

    def _attribute_setters(self, start: str) -> tuple[frozenset[str], _Effects]:
        """The modules of a closure that may set attributes of others, and what their top levels work on, together."""
        found = self._setters.get(start)
        if found is None:
            modules = [module for module in self.project.closure(start) if module.sets_attributes]
            together = _Effects()
            for module in modules:
                together.update(self._effects(module))
            found = self._setters[start] = frozenset(module.name for module in modules), together
        return found

    def _find_altering_functions(self, start: str, variable: Place, functions: set[Place]) -> set[str]:
        """Collect the functions that alter a variable, and those that call them; answer with their names.

        A body counts where a name stands in it that was found so far, as a word.
        """
        mentioning = self._mentioning(start)
        words, waiting = {variable.name}, [variable.name]
        looked_at: dict[Place, _Work | None] = {variable: None}
        readers: dict[Place, list[Place]] = {}
        while waiting:
            bodies = {
                Place(module.name, name): module
                for word in waiting
                for module in mentioning.get(word, ())
                for name in module.bodies_by_word.get(word, ())
            }
            works = {place: self._work(module, place) for place, module in bodies.items() if place not in looked_at}
            looked_at.update(works)
            altering = [
                place
                for place, work in works.items()
                if work is not None and (variable in work.alters or not functions.isdisjoint(work.reads))
            ]
            if not functions and not altering:
                break  # of most variables; who reads what need not be known then
            for place, work in works.items() if functions else looked_at.items():
                for item in work.reads if work is not None else ():
                    readers.setdefault(item, []).append(place)
            while altering:
                function = altering.pop()
                if function not in functions:
                    functions.add(function)
                    altering += readers.get(function, ())
            waiting = sorted({function.name for function in functions} - words)
            words.update(waiting)
        return words

    def _work(self, module: Module, place: Place) -> _Work | None:
        """What a function or class works on; None for a variable."""
        if place not in self._work_of:
            self._work_of[place] = self._read_work(module, place)
        return self._work_of[place]

    def _read_work(self, module: Module, place: Place) -> _Work | None:
        if self.project.kind_of(place) == "variable":
            return None
        names = module.definition(place.name).names
        altered = set(self.project.places(module, names.alters))
        altered.update(item for item in self.project.places(module, names.calls_methods_of) if self._is_own(item))
        return _Work(frozenset(altered), frozenset(self.project.places(module, names.reads)))

    def _effects(self, module: Module) -> _Effects:
        """What the top level of a module works on, by place."""
        found = self._effects_of.get(module.name)
        if found is not None:
            return found
        found = self._effects_of[module.name] = _Effects()
        for statement in module.index.effects:
            effect, names = (module, statement), module.names(statement)
            altered = set(self.project.places(module, names.alters))
            altered.update(item for place in tuple(altered) for item in self._aliased(place))
            if any(not inside for _, _, inside in names.unfollowed):  # `globals()["X"] = 1`
                altered.add(Place(module.name, WHOLE))
            found.add(found.altered, altered, effect)
            read = set(self.project.places(module, names.reads))
            found.add(found.read, read, effect)
            if not statement.assigns:
                found.add(found.worked_on, read, effect)
        for statement in module.index.decorated:
            for decorator in statement.decorators:
                if decorator.path and not self.project.is_of_zen(module, decorator.path):
                    targets = set(self.project.places(module, [decorator.path]))
                    found.add(found.read, targets, (module, statement))
                    if "." in decorator.path:
                        found.add(found.altered, targets, (module, statement))
        return found

    def _aliased(self, place: Place) -> list[Place]:
        """What a variable is another name of: `rates = settings.RATES`."""
        module = self.project.module(place.module)
        if module is None or place.name not in module.index.bound:
            return []
        paths = [item.value for item in module.index.bound[place.name] if item.value]
        return self.project.places(module, paths)

    def _has_target(self, module: Module, statement: Statement) -> bool:
        """Whether a statement works on a variable of the project's, or starts a pipeline."""
        names = module.names(statement)
        worked_on = names.alters if statement.assigns else (*names.alters, *names.reads)
        return any(
            self.project.kind_of(place) == "variable" or self._is_pipeline(place)
            for place in self.project.places(module, worked_on)
        )

    def _is_pipeline(self, place: Place) -> bool:
        module = self.project.module(place.module)
        if module is None or place.name not in module.index.bound:
            return False
        decorators = module.index.bound[place.name][-1].decorators
        return any(self.project.is_of_zen(module, item.path) for item in decorators)

    def subclasses(self, start: str, place: Place) -> list[Place]:
        """The classes in these modules that derive from one, directly or not."""
        found: dict[Place, None] = {}
        waiting = [place]
        while waiting:
            base = waiting.pop()
            for module in self._mentioning(start).get(base.name, ()):
                derived = [item for item in self._derived(module).get(base, ()) if item not in found]
                found.update(dict.fromkeys(derived))
                waiting += derived
        return list(found)

    def _derived(self, module: Module) -> dict[Place, list[Place]]:
        """The classes of a module by what they derive from."""
        found = self._derived_of.get(module.name)
        if found is None:
            found = self._derived_of[module.name] = {}
            for statement in module.index.decorated:
                for base in self.project.places(module, [path for path in statement.bases if path]):
                    found.setdefault(base, []).append(Place(module.name, statement.bound[0]))
        return found

    def registers_subclasses(self, place: Place) -> bool:
        """Whether a class learns of the classes that derive from it."""
        module = self.project.module(place.module)
        assert module is not None
        return any(statement.learns_of_subclasses for statement in module.index.bound[place.name])

    def _is_own(self, place: Place) -> bool:
        """Whether a variable's value is of a class of the project's, any method of which may alter it."""
        module = self.project.module(place.module)
        if module is None or place.name not in module.index.bound:
            return False
        definition = module.definition(place.name)
        return definition.kind == "variable" and any(
            self.project.kind_of(item) == "class" for item in self.project.places(module, definition.names.reads)
        )

    def _is_logger(self, place: Place) -> bool:
        module = self.project.module(place.module)
        if module is None or place.name not in module.index.bound:
            return False
        made_by = [item.made_by for item in module.index.bound[place.name]]
        return all(path and "logging.getLogger" in self.project.resolve(module, path) for path in made_by)
