"""From one function to everything in the project that it reaches, by what the source says."""

from __future__ import annotations

import sys
import uuid
from typing import Any

from zen_core.compiler.code.effects import ImportEffects
from zen_core.compiler.code.modules import Module
from zen_core.compiler.code.project import WHOLE, Place, Reached, third_party
from zen_core.compiler.code.statements import Statement
from zen_core.contract.canonical import digest_json
from zen_core.contract.manifest import CodeDefinition, CodeFingerprint, Unfollowed


class Walk:
    """What was reached so far, and what is still to be looked at.

    Args:
        start: the module whose import runs first; what it imports, directly or not, is there when the step runs.
        loaded_at: when the step was defined in this process, in nanoseconds since 1970; its code was loaded before.
    """

    def __init__(self, effects: ImportEffects, start: str, *, loaded_at: int | None = None) -> None:
        self.project = effects.project
        self._effects = effects
        self._loaded_at = loaded_at
        self.externals: set[str] = set()
        self._start = start
        self._records: dict[str, CodeDefinition] = {}
        self._unfollowed: set[Unfollowed] = set()
        self._waiting: list[Place] = []
        self._seen: set[Place] = set()
        self._typed: set[Place] = set()
        self._entered: set[str] = set()
        self._altered: set[Place] = set()

    def add(self, place: Place) -> None:
        """Reach a definition."""
        self._waiting.append(place)

    def add_step(self, place: Place) -> None:
        """Reach a function of the top level that is the step's own."""
        module = self.project.module(place.module)
        assert module is not None
        self.enter(module)
        self._seen.add(place)
        self.take(self.project.reach(place, as_step=True))

    def record(self, name: str, content: Any, kind: str, file: str = "", lines: tuple[int, int] = (0, 0)) -> str:
        """Count what is no definition of a top level; answer with the name that it has from now on."""
        digest = digest_json("record", content)
        known = self._records.get(name)
        if known is not None and known.digest != digest:
            name = f"{name}#{digest[-8:]}"
        self._records[name] = CodeDefinition(name, digest, kind, file, lines)
        return name

    def note(self, what: str, file: str = "", line: int = 0) -> None:
        """Say what could not be followed."""
        self._unfollowed.add(Unfollowed(what, file, line))

    def finish(self, scope: str) -> CodeFingerprint:
        """Follow everything to its end."""
        while self._waiting:
            self._reach_waiting()
            self._reach_what_alters()
        records = tuple(self._records[name] for name in sorted(self._records))
        digest = digest_json("code", [scope, [[record.name, record.digest] for record in records]])
        unfollowed = sorted(self._unfollowed, key=lambda item: (item.file, item.line, item.what))
        return CodeFingerprint(digest, scope, tuple(sorted(third_party(self.externals))), records, tuple(unfollowed))

    # -- the project's definitions -----------------------------------------------------------------------------------

    def _reach_waiting(self) -> None:
        while self._waiting:
            place = self._waiting.pop()
            module = self.project.module(place.module)
            if place in self._seen or module is None:
                continue
            self._seen.add(place)
            self.enter(module)
            if place.name == WHOLE:
                self._waiting += self.project.whole(module)
            elif place.name in module.index.bound:
                self.take(self.project.reach(place))
            elif self.project.is_compiled(f"{place.module}.{place.name}"):
                self.externals.add(f"{place.module}.{place.name}")

    def take(self, reached: Reached) -> None:
        """Count a definition, and reach what it refers to."""
        if reached.record.name:
            self._records[reached.record.name] = reached.record
        self.externals.update(reached.externals)
        self._unfollowed.update(reached.unfollowed)
        self._typed |= reached.typed
        for name in reached.imported:
            imported = self.project.module(name)
            if imported is not None:
                self.enter(imported)
        self._waiting += [place for place in (*reached.places, *reached.typed) if place not in self._seen]

    def enter(self, module: Module) -> None:
        """What a module does when it is imported counts, where something of it is used; so for the packages above."""
        if module.name in self._entered:
            return
        self._entered.add(module.name)
        if module.name in self.project.unreadable:
            self.note("the file cannot be read", module.file, 1)
        if module.is_broken:
            self.note(f"syntax that Python {sys.version_info[0]}.{sys.version_info[1]} cannot parse", module.file, 1)
            self.record(f"{module.name}:", module.text, "module", module.file)
        if self.project.is_compiled(module.name):  # Python takes that rather than the source
            self.externals.add(module.name)
        outdated = self.project.why_outdated(module, self._loaded_at)
        if outdated:  # what is in memory is not what can be read: its result is nobody else's
            self.note(outdated, module.file, 1)
            self.record(f"{module.name}:(changed)", uuid.uuid4().hex, "module", module.file)
        above = self.project.module(module.name.rpartition(".")[0])
        if above is not None:
            self.enter(above)
        self._count_statements(module, "(statements)", self._effects.untargeted(module))
        for name in module.imported_for_effect:
            imported = self.project.module(name)
            if imported is not None:
                self.enter(imported)

    def _count_statements(self, module: Module, name: str, statements: list[Statement]) -> None:
        if statements:
            self.take(self.project.statements(module, f"{module.name}:{name}", statements))

    def _reach_what_alters(self) -> None:
        """What is put into variables, and derived from classes, elsewhere in the modules that are imported."""
        for place in sorted(self._seen - self._altered):
            self._altered.add(place)
            kind = self.project.kind_of(place)
            if kind == "class" and (place in self._typed or self._effects.registers_subclasses(place)):
                self._waiting += self._effects.subclasses(self._start, place)
            by_module: dict[str, list[tuple[Module, Statement]]] = {}
            for module, statement in self._effects.altering(self._start, place):
                by_module.setdefault(module.name, []).append((module, statement))
            for found in by_module.values():
                module = found[0][0]
                plain = [statement for _, statement in found if statement.kind == "variable"]
                self._count_statements(module, f"(alters {place})", plain)
                self._waiting += [
                    Place(module.name, statement.bound[0]) for _, statement in found if statement.kind != "variable"
                ]
