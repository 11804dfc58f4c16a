"""What modules do to definitions, and to the process, when they are imported: registries that are filled, settings
that are set, classes that are derived, seeds that are sown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from zen_core.compiler.code.modules import Module
from zen_core.compiler.code.project import WHOLE, Place, Project
from zen_core.compiler.code.statements import Statement


@dataclass(slots=True)
class _Effects:
    """Statements of a top level by what they alter, by what they read, and by what those read that bind nothing."""

    altered: dict[Place, list[Statement]] = field(default_factory=dict)
    read: dict[Place, list[Statement]] = field(default_factory=dict)
    worked_on: dict[Place, list[Statement]] = field(default_factory=dict)

    @staticmethod
    def add(index: dict[Place, list[Statement]], places: Iterable[Place], statement: Statement) -> None:
        """Enter a statement below each place."""
        for place in places:
            index.setdefault(place, []).append(statement)


class ImportEffects:
    """The statements of top levels that alter definitions of the project.

    Only modules in which a word stands that matters are parsed for it.

    Attributes:
        project: whose modules they are.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._mentions: dict[tuple[str, bool], dict[str, list[Module]]] = {}
        self._setters: dict[str, tuple[Module, ...]] = {}
        self._untargeted: dict[str, list[Statement]] = {}
        self._effects_of: dict[str, _Effects] = {}
        self._altering: dict[tuple[str, Place], tuple[tuple[Module, Statement], ...]] = {}

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
        alters = statement.names.alters
        return any(isinstance(item, str) for path in alters for item in self.project.resolve(module, path))

    def altering(self, start: str, place: Place) -> tuple[tuple[Module, Statement], ...]:
        """What alters a definition, or adds to it, in the modules that importing `start` imports.

        Statements of the top level: `TABLE["a"] = 1`, `settings.RATE = 2`, `register(f)`; a function below `@register`
        or `@cut.register`.
        """
        key = (start, place)
        found = self._altering.get(key)
        if found is None:
            found = self._altering[key] = tuple(self._find_altering(start, place))
        return found

    def _find_altering(self, start: str, place: Place) -> Iterator[tuple[Module, Statement]]:
        if self._is_logger(place):
            return
        words = {place.name}
        functions: set[Place] = set()
        if self.project.kind_of(place) == "variable":
            words |= self._find_altering_functions(start, place, functions)
        mentioning = {
            module.name: module for word in words for module in self._mentioning(start, top=True).get(word, ())
        }
        # Those that set attributes may know it under a name of their own, or a computed one.
        mentioning.update((module.name, module) for module in self._attribute_setters(start))
        own = self.project.module(place.module)
        if own is not None:
            mentioning[place.module] = own
        is_variable = self.project.kind_of(place) == "variable"
        for name in sorted(mentioning):
            module = mentioning[name]
            effects = self._effects(module)
            found = [*effects.altered.get(place, ()), *effects.altered.get(Place(place.module, WHOLE), ())]
            found += effects.worked_on.get(place, ()) if is_variable else ()
            for function in functions:
                found += effects.read.get(function, ())
            for _, statement in sorted({item.position: item for item in found}.items()):
                yield module, statement

    def _mentioning(self, start: str, *, top: bool = False) -> dict[str, list[Module]]:
        """The modules of a closure by the words that stand in them; with `top`, in what their top levels do."""
        found = self._mentions.get((start, top))
        if found is None:
            found = self._mentions[start, top] = {}
            for module in self.project.closure(start):
                for word in module.top_words if top else module.words:
                    found.setdefault(word, []).append(module)
        return found

    def _attribute_setters(self, start: str) -> tuple[Module, ...]:
        found = self._setters.get(start)
        if found is None:
            found = self._setters[start] = tuple(item for item in self.project.closure(start) if item.sets_attributes)
        return found

    def _find_altering_functions(self, start: str, variable: Place, functions: set[Place]) -> set[str]:
        """Collect the functions that alter a variable, and those that call them; answer with their names."""
        words, grown = {variable.name}, True
        while grown:
            grown = False
            mentioning = {module.name: module for word in words for module in self._mentioning(start).get(word, ())}
            for module in mentioning.values():
                for place in self._altering_functions(module, variable, words, functions):
                    functions.add(place)
                    words.add(place.name)
                    grown = True
        return words

    def _altering_functions(self, module: Module, variable: Place, words: set[str], known: set[Place]) -> list[Place]:
        found = []
        for name in sorted({name for word in words for name in module.bodies_by_word.get(word, ())}):
            place = Place(module.name, name)
            if place in known or place == variable:
                continue
            definition = module.definition(name)
            if definition.kind == "variable":
                continue
            altered = set(self.project.places(module, definition.names.alters))
            altered |= {
                item for item in self.project.places(module, definition.names.calls_methods_of) if self._is_own(item)
            }
            if variable in altered or not known.isdisjoint(self.project.places(module, definition.names.reads)):
                found.append(place)
        return found

    def _effects(self, module: Module) -> _Effects:
        """What the top level of a module works on, by place."""
        found = self._effects_of.get(module.name)
        if found is not None:
            return found
        found = self._effects_of[module.name] = _Effects()
        for statement in module.index.effects:
            names = statement.names
            altered = set(self.project.places(module, names.alters))
            altered.update(item for place in tuple(altered) for item in self._aliased(place))
            if any(not inside for _, _, inside in names.unfollowed):  # `globals()["X"] = 1`
                altered.add(Place(module.name, WHOLE))
            found.add(found.altered, altered, statement)
            read = set(self.project.places(module, names.reads))
            found.add(found.read, read, statement)
            if not statement.assigns:
                found.add(found.worked_on, read, statement)
        for statement in module.index.decorated:
            for decorator in statement.decorators:
                if decorator.path and not self.project.is_of_zen(module, decorator.path):
                    targets = set(self.project.places(module, [decorator.path]))
                    found.add(found.read, targets, statement)
                    if "." in decorator.path:
                        found.add(found.altered, targets, statement)
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
        names = statement.names
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
                for statement in module.index.decorated:
                    derived = Place(module.name, statement.bound[0])
                    bases = [path for path in statement.bases if path]
                    if derived not in found and base in self.project.places(module, bases):
                        found[derived] = None
                        waiting.append(derived)
        return list(found)

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
