"""What modules do to definitions, and to the process, when they are imported: registries that are filled, settings
that are set, classes that are derived, seeds that are sown.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Set
from dataclasses import dataclass, field
from itertools import chain
from typing import Generic, TypeVar

from zen_core.compiler.code.modules import Module
from zen_core.compiler.code.names import ALTERS, CALLS, FILLS, HANDS, LOOKING, LOOKS, OWN_MODULE, READS, Names, Use
from zen_core.compiler.code.project import WHOLE, Place, Project
from zen_core.compiler.code.statements import Statement

_MAKERS_OF_CONSTANTS = frozenset(
    {
        *("bool", "bytes", "complex", "float", "frozenset", "hasattr", "int", "isinstance", "len", "object", "str"),
        *("collections.namedtuple", "datetime.date", "datetime.datetime", "datetime.time"),
        *("datetime.timedelta", "datetime.timezone", "decimal.Decimal", "fractions.Fraction", "logging.getLogger"),
        *("operator.attrgetter", "operator.itemgetter", "os.environ.get", "os.getenv", "os.path.abspath"),
        *("os.path.basename", "os.path.dirname", "os.path.expanduser", "os.path.join", "os.path.realpath"),
        *("pathlib.Path", "pathlib.Path.cwd", "pathlib.Path.home", "pathlib.PurePath", "pathlib.PurePosixPath"),
        *("re.compile", "typing.NamedTuple", "typing.NewType", "typing.ParamSpec", "typing.TypeVar", "uuid.UUID"),
        *("zoneinfo.ZoneInfo",),
    }
)
_MAKERS_OF_TYPES = frozenset({"NewType()", "ParamSpec()", "TypeVar()"})
_GENERIC = ("typing.", "typing_extensions.", "collections.abc.", "builtins.")
_CONSTANT_MODULES = (
    "builtins.",
    "typing.",
    "typing_extensions.",
    "collections.abc.",
    "string.",
    "sys.",
    "math.",
    "types.",
    "datetime.",
)

Effect = tuple[Module, Statement]
Work = dict[Place, Use]
"""What a piece of code does with places: see `Names`. `READS` is said of what is looked at, called or handed."""
User = TypeVar("User")

# By which uses something may be altered: what cannot be altered itself is assigned again; a function or class gets
# attributes; a dict of constants is handed on; and of anything else, such as a class that has a list or counts its
# objects, a part may be altered wherever it is read.
_CONSTANT = ALTERS
_NAMED = ALTERS | FILLS
_PLAIN = ALTERS | CALLS | HANDS
_ANYTHING = ALTERS | READS


class _Users(Generic[User]):
    """Who does what with which place."""

    def __init__(self) -> None:
        self._by_place: dict[Place, list[tuple[User, Use]]] = {}

    def add(self, user: User, work: Work, names: Container[str] | None = None) -> None:
        """Enter what somebody does, with `names` only what is done with places of these names."""
        for place, use in work.items():
            if names is None or place.name in names:
                self._by_place.setdefault(place, []).append((user, use))

    def of(self, place: Place, uses: Use) -> list[User]:
        """Those that use a place in one of these ways."""
        return [user for user, use in self._by_place.get(place, ()) if use & uses]

    def readers(self, places: Set[Place]) -> list[User]:
        """Those that read any of these places."""
        return [user for place in self._by_place.keys() & places for user in self.of(place, READS)]


_NOBODY = _Users[Place](), _Users[Place]()


@dataclass(slots=True)
class _FoundEffects:
    """What the top levels of a closure work on, as far as they were looked for.

    Attributes:
        users: of the modules.
        words: those that were looked for; and those in what the top levels do.
        modules: by name.
    """

    users: _Users[Effect] = field(default_factory=_Users)
    words: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))
    modules: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _SettingOff:
    """The statements of top levels that use some definitions.

    Attributes:
        words: by which the definitions are named.
        homes: the modules that define them.
        effects: the statements.
    """

    words: set[str]
    homes: set[str]
    effects: list[Effect] = field(default_factory=list)

    def may_be_in(self, module: Module) -> bool:
        """Whether a module can name one of the definitions."""
        return module.name in self.homes or not self.words.isdisjoint(module.foreign_words)


class ImportEffects:
    """The statements of top levels that alter definitions of the project.

    Only modules in which a word stands that matters are parsed for it.

    Attributes:
        project: whose modules they are.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._mentions: dict[tuple[str, bool], dict[str, list[Module]]] = {}
        self._renamed: dict[str, tuple[dict[str, set[str]], dict[str, set[str]]]] = {}
        self._untargeted: dict[str, list[Statement]] = {}
        self._found_effects: dict[str, _FoundEffects] = {}
        self._work_of: dict[Place, Work] = {}
        self._users_of: dict[tuple[str, str, str, bool], tuple[_Users[Place], _Users[Place]]] = {}
        self._readers: dict[tuple[str, Place], frozenset[Place]] = {}
        self._set_off_by: dict[tuple[str, frozenset[Place]], _SettingOff] = {}
        self._by_computed_names: dict[tuple[str, str], list[Place]] = {}
        self._types: dict[Place, bool] = {}
        self._uses: dict[Place, Use] = {}
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
        altered = statement.all_names().of(ALTERS | FILLS)
        return any(isinstance(item, str) for path in altered for item in self.project.resolve(module, path))

    def _has_target(self, module: Module, statement: Statement) -> bool:
        """Whether a statement works on a variable of the project's, or starts a pipeline."""
        worked_on = statement.all_names().of(ALTERS | (FILLS if statement.assigns else READS))
        return any(
            self.project.kind_of(place) == "variable" or self._is_pipeline(place)
            for place in self.project.places(module, worked_on)
        )

    def _is_pipeline(self, place: Place) -> bool:
        decorators = [item for statement in self._statements(place)[-1:] for item in statement.decorators]
        module = self.project.module(place.module)
        return module is not None and any(self.project.is_of_zen(module, item.path) for item in decorators)

    # -- what alters a definition ------------------------------------------------------------------------------------

    def altering(self, start: str, place: Place) -> tuple[Effect, ...]:
        """What may alter a definition, or add to it, in the modules that importing `start` imports.

        Statements of the top level: `TABLE["a"] = 1`, `settings.RATE = 2`, `register(f)`, `fill(TABLE)`; a function
        below `@register` or `@cut.register`, a class that derives from one that registers it.
        """
        key = (start, place)
        found = self._altering.get(key)
        if found is None:
            found = self._altering[key] = tuple(self._find_altering(start, place))
        return found

    def _find_altering(self, start: str, place: Place) -> Iterator[Effect]:
        uses = self._altering_uses(place)
        setting_off = self._setting_off(start, frozenset(self._altering_definitions(start, place)))
        top = uses in (_CONSTANT, _NAMED)
        names = self._names_of(start, {place.name} if place.name != WHOLE else ())
        effects = self._effects_in(start, names, {place.module}, top=top)
        found = {(module.name, statement.position): (module, statement) for module, statement in setting_off.effects}
        for module, statement in chain(effects.of(place, uses), effects.of(Place(place.module, WHOLE), uses | HANDS)):
            is_sought = (
                module.name == place.module
                or module.sets_attributes  # it may know it under a name of its own, or a computed one
                or not names.isdisjoint(module.foreign_top_words if top else module.foreign_words)
                or setting_off.may_be_in(module)
            )
            if is_sought:
                found[module.name, statement.position] = module, statement
        for key in sorted(found):
            yield found[key]

    def _setting_off(self, start: str, through: frozenset[Place]) -> _SettingOff:
        """The statements of top levels that use any of some definitions, which many places have in common."""
        key = (start, through)
        found = self._set_off_by.get(key)
        if found is None:
            words = self._names_of(start, {each.name for each in through})
            found = self._set_off_by[key] = _SettingOff(words, {each.module for each in through})
            for effect in self._effects_in(start, words, found.homes).readers(through):
                if effect[0].sets_attributes or found.may_be_in(effect[0]):
                    found.effects.append(effect)
        return found

    def _altering_uses(self, place: Place) -> Use:
        """By which uses a definition may be altered."""
        if place not in self._uses:
            self._uses[place] = self._read_uses(place)
        return self._uses[place]

    def _read_uses(self, place: Place) -> Use:
        statements, module = self._statements(place), self.project.module(place.module)
        if self.project.kind_of(place) != "variable":
            if module is not None and any(statement.names.of(_NAMED) for statement in statements):
                alters_itself = bool(self._work(module, place).get(place, 0) & _NAMED)
            else:
                alters_itself = False
            return _ANYTHING if alters_itself or any(statement.holds for statement in statements) else _NAMED
        kept = {self._kept(place, statement) for statement in statements}
        return _ANYTHING if "" in kept else _PLAIN if "plain" in kept else _CONSTANT

    def _kept(self, place: Place, statement: Statement) -> str:
        """What a statement gives a variable: a `constant`, a `plain` dict, list or set of such, or "" anything."""
        module = self.project.module(place.module)
        assert module is not None
        return statement.kept if all(self._is_constant(module, path) for path in statement.kept_if) else ""

    def _is_constant(self, module: Module, path: str) -> bool:
        """Whether a name stands for what nothing can alter, or with `()` behind it for what makes such."""
        name = path.removesuffix("()").removesuffix("[]")
        targets = self.project.resolve(module, name) or (f"builtins.{name}",)
        if path.endswith("()"):
            return _MAKERS_OF_CONSTANTS.issuperset(str(target).removeprefix("builtins.") for target in targets)
        if path.endswith("[]"):
            return all(isinstance(target, str) and target.startswith(_GENERIC) for target in targets)
        # What the project's own names stand for has statements of its own that alter it.
        return all(isinstance(target, Place) or target.startswith(_CONSTANT_MODULES) for target in targets)

    def _is_type(self, place: Place) -> bool:
        """Whether a variable is a type, `Union[Point, str]` or `TypeVar("P", bound=Point)`: it holds nothing."""
        found = self._types.get(place)
        if found is None:
            found = self._types[place] = all(
                self._kept(place, statement) == "constant"
                and bool(statement.kept_if)
                and all(path.endswith("[]") or path.split(".")[-1] in _MAKERS_OF_TYPES for path in statement.kept_if)
                for statement in self._statements(place)
            )
        return found

    def _altering_definitions(self, start: str, place: Place) -> set[Place]:
        """By which definitions a place may be altered: functions and classes that do, its other names, their users."""
        uses = self._altering_uses(place)
        is_function = self.project.kind_of(place) == "function"
        # `a = b = {}`: what is done to one is done to the other.
        together = {name for statement in self._statements(place) for name in statement.bound} - {place.name}
        altering = [Place(place.module, name) for name in together] if uses != _CONSTANT else []
        whole = Place(place.module, WHOLE)
        only_altering = uses == _CONSTANT or (is_function and uses == _NAMED)
        for functions, variables in self._users(start, place, only_altering=only_altering):
            # Another name of a number does nothing to it.
            altering += (*functions.of(place, uses), *variables.of(place, uses if uses == _CONSTANT else uses | HANDS))
            altering += (*functions.of(whole, uses | HANDS), *variables.of(whole, uses | HANDS))
        altering += self._altering_by_computed_names(start, place.module)
        waiting = [each for each in {*altering} - {place} if not self._is_type(each)]
        found = {place, *waiting}
        while waiting:
            more = self._read_by(start, waiting.pop()) - found
            found |= more
            waiting += more
        return found - {place}

    def _read_by(self, start: str, place: Place) -> frozenset[Place]:
        """The definitions that read a place, but for types."""
        key = (start, place)
        found = self._readers.get(key)
        if found is None:
            users = chain.from_iterable(self._users(start, place))
            readers = {reader for each in users for reader in each.of(place, READS)}
            found = self._readers[key] = frozenset(reader for reader in readers if not self._is_type(reader))
        return found

    def _users(
        self, start: str, place: Place, *, only_altering: bool = False
    ) -> Iterator[tuple[_Users[Place], _Users[Place]]]:
        """The functions and classes, and the variables, that name a place: in a closure, and in its own module."""
        for word in self._names_of(start, [place.name]):
            for home in ("", place.module):
                key = (start, word, home, only_altering)
                if key not in self._users_of:
                    self._users_of[key] = self._find_users(*key)
                yield self._users_of[key]

    def _find_users(self, start: str, word: str, home: str, only_altering: bool) -> tuple[_Users[Place], _Users[Place]]:
        """The definitions that may name something by a word: in its home, or wherever it may be another module's name.

        Args:
            home: the module that defines what it names; "": all that may know it from another one.
            only_altering: only those that may assign to what it names, or to attributes of it.
        """
        own = self.project.module(home) if home else None
        found = [
            (module, Place(module.name, name))
            for module in ([own] if own is not None else self._mentioning(start).get(word, ()))
            if own is not None or not only_altering or module.may_alter(word)
            for name in (module.alterers_by_word if only_altering else module.definitions_by_word).get(word, ())
        ]
        if not found:  # of most names
            return _NOBODY
        functions, variables = _Users[Place](), _Users[Place]()
        names = {*self._names_of(start, [word], back=True), WHOLE}
        for module, user in found:
            users = variables if self.project.kind_of(user) == "variable" else functions
            users.add(user, self._work(module, user), names)
        return functions, variables

    def _altering_by_computed_names(self, start: str, home: str) -> list[Place]:
        """The definitions that set names of a module which they compute: `setattr(settings, name, 1)`, `globals()`."""
        key = (start, home)
        found = self._by_computed_names.get(key)
        if found is None:
            own = self.project.module(home)
            assert own is not None
            words = {*self._names_of(start, [home.rpartition(".")[2]]), OWN_MODULE}
            users = [
                Place(module.name, name)
                for module in dict.fromkeys([*_below(self._mentioning(start), words), own])
                if module is own or module.computes_names
                for word in words
                for name in module.definitions_by_word.get(word, ())
            ]
            whole = Place(home, WHOLE)
            found = self._by_computed_names[key] = [
                user
                for user in dict.fromkeys(users)
                if (module := self.project.module(user.module)) and self._work(module, user).get(whole, 0) & ALTERS
            ]
        return found

    def _work(self, module: Module, place: Place) -> Work:
        found = self._work_of.get(place)
        if found is None:
            found = self._work_of[place] = self._places(module, module.definition(place.name).names)
        return found

    def _places(self, module: Module, names: Names) -> Work:
        work: Work = {}
        looking = [name for name in LOOKING & names.uses.keys() if names.uses[name] & CALLS]
        are_others = any(self.project.resolve(module, name) for name in looking)  # no functions of Python's
        for path, how in names.uses.items():
            use = how & (ALTERS | FILLS | CALLS | LOOKS | HANDS)
            if use & (CALLS | LOOKS | HANDS):
                use |= READS | (HANDS if use & LOOKS and are_others else 0)
            for target in self.project.resolve(module, path) if use else ():
                if isinstance(target, Place):
                    done = use & ~FILLS if target.name == WHOLE else use  # of a module, a function is called
                    work[target] = work.get(target, 0) | done
        return work

    # -- where it is looked for --------------------------------------------------------------------------------------

    def _mentioning(self, start: str, *, top: bool = False) -> dict[str, list[Module]]:
        """The modules of a closure by the words by which they may name what another one defines.

        With `top`, by those in what their top levels do.
        """
        found = self._mentions.get((start, top))
        if found is None:
            found = self._mentions[start, top] = {}
            for module in self.project.closure(start):
                for word in module.foreign_top_words if top else module.foreign_words:
                    found.setdefault(word, []).append(module)
        return found

    def _names_of(self, start: str, names: Iterable[str], *, back: bool = False) -> set[str]:
        """These names, and those that imports give them; with `back`, those of which imports make these names."""
        if start not in self._renamed:
            there: dict[str, set[str]] = {}
            back_again: dict[str, set[str]] = {}
            for module in self.project.closure(start):
                for name, other in module.renamed:
                    there.setdefault(name, set()).add(other)
                    back_again.setdefault(other, set()).add(name)
            self._renamed[start] = there, back_again
        renamed = self._renamed[start][back]
        found = set(names)
        waiting = renamed.keys() & found
        while waiting:
            more = renamed[waiting.pop()] - found
            found |= more
            waiting |= renamed.keys() & more
        return found

    def _effects_in(self, start: str, words: Set[str], homes: Set[str], *, top: bool = False) -> _Users[Effect]:
        """What top levels of a closure work on: those of some modules, of all that set attributes, and maybe of others.

        Args:
            words: whoever may name something so counts; with `top`, in what its top level does.
            homes: modules that count.
        """
        found = self._found_effects.get(start)
        if found is None:
            found = self._found_effects[start] = _FoundEffects()
            self._add_effects(found, (module for module in self.project.closure(start) if module.sets_attributes))
        new = words - found.words[top]
        found.words[top].update(new)
        self._add_effects(found, _below(self._mentioning(start, top=top), new))
        own = map(self.project.module, homes - found.modules)
        self._add_effects(found, (module for module in own if module is not None))
        return found.users

    def _add_effects(self, found: _FoundEffects, modules: Iterable[Module]) -> None:
        for module in modules:
            if module.name not in found.modules:
                found.modules.add(module.name)
                self._enter_effects(found.users, module)

    def _enter_effects(self, found: _Users[Effect], module: Module) -> None:
        for statement in module.index.effects:
            found.add((module, statement), self._places(module, statement.all_names()))
        for statement in module.index.decorated:
            effect = (module, statement)
            if statement.acts:
                found.add(effect, self._places(module, statement.all_names()))
            if statement.runs is not None:
                found.add(effect, self._places(module, statement.runs))
            for decorator in statement.decorators:
                if decorator.path and self.project.is_of_zen(module, decorator.path):
                    continue
                found.add(effect, self._places(module, decorator.names))
                if "." in decorator.path:  # `@cut.register`
                    found.add(effect, dict.fromkeys(self.project.places(module, [decorator.path]), _ANYTHING))
            bases = self.project.places(module, [path for path in statement.bases if path])
            found.add(effect, dict.fromkeys(bases, READS))

    # -- classes and values ------------------------------------------------------------------------------------------

    def subclasses(self, start: str, place: Place) -> list[Place]:
        """The classes in these modules that derive from one, directly or not."""
        found: dict[Place, None] = {}
        waiting = [place]
        while waiting:
            base = waiting.pop()
            words = self._names_of(start, [base.name])
            own = filter(None, [self.project.module(base.module)])
            for module in dict.fromkeys([*_below(self._mentioning(start), words), *own]):
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
        return any(statement.learns_of_subclasses for statement in self._statements(place))

    def _statements(self, place: Place) -> list[Statement]:
        """What binds a place; nothing for a whole module."""
        module = self.project.module(place.module)
        return module.index.bound.get(place.name, []) if module is not None else []


def _below(mentioned: dict[str, list[Module]], words: Iterable[str]) -> Iterator[Module]:
    """The modules below any of these words."""
    return (module for word in words for module in mentioned.get(word, ()))
