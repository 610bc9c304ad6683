"""``unified_env``: one registry of every variable, one reading of the environment, one error for all that is wrong."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from oms.unified.config.errors import ConfigurationError, NotDeclarable, UnknownVariable

if TYPE_CHECKING:
    from oms.unified.config.explain import Explanation
    from oms.unified.config.group import Group
    from oms.unified.config.loading import Loaded, Registration
    from oms.unified.config.profile import Profile
    from oms.unified.config.variables import Variable

G = TypeVar("G", bound="Group")
D = TypeVar("D")

_NOTHING: Mapping[str, Any] = {}


class _Override:
    """What holds inside of one ``override``: texts over the environment, and their reading."""

    __slots__ = ("environment", "loaded", "names")

    def __init__(self, environment: Mapping[str, str], names: frozenset[str], loaded: Loaded) -> None:
        self.environment, self.names, self.loaded = environment, names, loaded


class UnifiedEnv:
    """The environment of a process, typed and checked.

    It is read once, at the first question or at ``validate``; ``reload`` reads it anew. Only ``getenv``, ``require`` and ``contains``, which
    code that was moved off ``os`` calls, look at the environment at each call, as ``os`` does. Safe to use from any thread.
    """

    def __init__(
        self,
        groups: Callable[[], Iterable[Registration]] = lambda: (),
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Make a registry; nothing is read yet.

        Args:
            groups: What is registered from the beginning, asked for when it is first needed, for the groups take long to import.
            environment: What is read; None for the environment of the process.
        """
        self._groups = groups
        self._fixed = environment
        self._lock = threading.RLock()
        self._registered: tuple[Registration, ...] | None = None
        self._loaded: Loaded | None = None
        self._values: Mapping[str, Any] = _NOTHING
        self._warned: set[str] = set()
        self._overrides = 0
        self._is_plain = environment is None
        self._over: ContextVar[_Override | None] = ContextVar("oms_unified_env_override", default=None)

    def __repr__(self) -> str:
        return "UnifiedEnv()"

    # -- registry

    def register(self, group: type[Group], *, owner: str, required_in: Iterable[Profile] = ()) -> None:
        """Add *group*, whose variables *owner* answers for.

        Args:
            required_in: Profiles in which all of them must be set.

        Raises:
            NotDeclarable: if a name in it is taken already.
        """
        from oms.unified.config.loading import Registration

        with self._lock:
            taken = {
                name: each.group
                for each in self._registrations()
                for v in each.group.declared.values()
                for name in v.names
            }
            for name in (name for variable in group.declared.values() for name in variable.names):
                if name in taken:
                    raise NotDeclarable(
                        f"{group.__name__}.{name}: found it in {taken[name].__name__} too, wanted one owner"
                    )
            self._registered = (*self._registrations(), Registration(group, owner, frozenset(required_in)))
            self._forget()

    def names(self) -> tuple[str, ...]:
        """Return the canonical name of every variable, in the order of the groups."""
        return tuple(name for each in self._registrations() for name in each.group.declared)

    def variables(self) -> dict[str, Variable]:
        """Return what is declared of every variable, by canonical name."""
        return {name: variable for each in self._registrations() for name, variable in each.group.declared.items()}

    # -- reading

    def get(self, name: str) -> Any:
        """Return the value of *name*, canonical or alias, in its type; None if it is unset and has no default.

        Raises:
            ConfigurationError: if what is set is not fit, or nothing is set where it is required.
            UnknownVariable: if nobody declares the name.
        """
        over = self._over.get()
        values = self._values if over is None else over.loaded.values
        try:
            return values[name]
        except KeyError:
            pass
        return self._get_slowly(name)

    def group(self, group: type[G]) -> G:
        """Return *group* as read: reading a value is then reading an attribute.

        Raises:
            ConfigurationError: with every problem of the group.
            UnknownVariable: if it is not registered.
        """
        loaded = self._now()
        made = loaded.groups.get(group)
        if made is not None:
            return cast("G", made)
        problems = tuple(problem for name in group.declared for problem in loaded.problems.get(name, ()))
        if not problems:
            raise UnknownVariable(f"{group.__name__}: found no such group, wanted one that is registered")
        raise ConfigurationError(problems)

    # -- the surface of code that was moved off os, exact in every edge

    @overload
    def getenv(self, name: str) -> str | None: ...
    @overload
    def getenv(self, name: str, default: D) -> str | D: ...
    def getenv(self, name: str, default: Any = None) -> Any:
        """Return what ``os.getenv(name, default)`` returns: the text as it is, at this moment, registered or not."""
        try:
            # Not os.environ.get, which is a call more on the way to the same subscript.
            return os.environ[name] if self._is_plain else self._environment()[name]
        except KeyError:
            return default

    def require(self, name: str) -> str:
        """Return what ``os.environ[name]`` returns, and raise the KeyError that it raises."""
        return self._environment()[name]

    def contains(self, name: object) -> bool:
        """Return what ``name in os.environ`` returns."""
        return name in self._environment()

    def texts(self) -> dict[str, str]:
        """Return a copy of the whole environment as it is now, for a child process."""
        return dict(self._environment())

    # -- judging

    def validate(self) -> None:
        """Read the environment anew and judge all of it.

        Raises:
            ConfigurationError: with every problem of every group at once, and the slips of the pen in the environment.
        """
        self.reload()
        problems = self._now().all_problems
        if problems:
            raise ConfigurationError(problems, self.hints())

    def hints(self) -> tuple[str, ...]:
        """Return a sentence for each name in the environment that looks like a slip of the pen."""
        from oms.unified.config.hints import slips

        known = (name for variable in self.variables().values() for name in variable.names)
        return tuple(slips(self._environment(), known))

    def explain(self, name: str, readers: Iterable[str] = ()) -> Explanation:
        """Return where the value of *name* comes from, who owns it and who reads it; never the value of a secret.

        Args:
            readers: The places of the code that read it.

        Raises:
            UnknownVariable: if nobody declares the name.
        """
        from oms.unified.config.explain import Explanation, shown
        from oms.unified.config.kinds import base_of

        loaded = self._now()
        registration, canonical, variable = self._declared(name)
        info = registration.group.model_fields[canonical]
        value = loaded.values.get(canonical)
        return Explanation(
            asked=name,
            name=canonical,
            about=variable.about,
            group=registration.title,
            owner=registration.owner,
            kind=base_of(info.annotation).__name__,
            is_security=variable.is_security,
            required_in=tuple(sorted(profile.value for profile in variable.required_in | registration.required_in)),
            aliases=variable.aliases,
            source=self._source(canonical, loaded, has_value=value is not None),
            value="**********" if variable.is_security and canonical in loaded.sources else shown(value),
            default=shown(info.get_default()),
            problems=tuple(map(str, loaded.problems.get(canonical, ()))),
            readers=tuple(readers),
        )

    # -- time

    def reload(self) -> None:
        """Read the environment anew at the next question. What was handed out before stays as it is."""
        with self._lock:
            self._forget()

    @contextmanager
    def override(self, values: Mapping[str, str | None]) -> Iterator[None]:
        """Put *values* over the environment for this thread or task until the block ends; None unsets. For tests.

        The texts are parsed and judged like any others; the process environment is not touched.
        """
        from oms.unified.config.loading import load

        outer = self._over.get()
        texts = {**self._environment(), **{name: text for name, text in values.items() if text is not None}}
        environment = {name: text for name, text in texts.items() if values.get(name, text) is not None}
        names = frozenset(values) | (outer.names if outer else frozenset())
        token = self._over.set(_Override(environment, names, load(self._registrations(), environment)))
        self._count_overrides(1)
        try:
            yield
        finally:
            self._count_overrides(-1)
            self._over.reset(token)

    def _count_overrides(self, change: int) -> None:
        """Keep the way of ``getenv`` short while nobody overrides anything."""
        with self._lock:
            self._overrides += change
            self._is_plain = self._fixed is None and self._overrides == 0

    # -- inside

    def _registrations(self) -> tuple[Registration, ...]:
        registered = self._registered
        if registered is None:
            with self._lock:
                registered = self._registered = tuple(self._groups())
        return registered

    def _environment(self) -> Mapping[str, str]:
        over = self._over.get()
        if over is not None:
            return over.environment
        return os.environ if self._fixed is None else self._fixed

    def _now(self) -> Loaded:
        over = self._over.get()
        if over is not None:
            return over.loaded
        with self._lock:
            if self._loaded is None:
                from oms.unified.config.loading import load

                self._loaded = load(self._registrations(), dict(self._environment()))
                self._values = self._loaded.values
            loaded = self._loaded
            older = [(used, name) for name, used in loaded.sources.items() if used != name and used not in self._warned]
            self._warned.update(used for used, _ in older)
        for used, name in older:
            warnings.warn(f"{used} is an older name of {name}: set {name}", DeprecationWarning, stacklevel=4)
        return loaded

    def _forget(self) -> None:
        self._loaded = None
        self._values = _NOTHING

    def _get_slowly(self, name: str) -> Any:
        loaded = self._now()
        if name in loaded.values:
            return loaded.values[name]
        _, canonical, _ = self._declared(name)
        raise ConfigurationError(loaded.problems[canonical])

    def _declared(self, name: str) -> tuple[Registration, str, Variable]:
        for each in self._registrations():
            for canonical, variable in each.group.declared.items():
                if name in variable.names:
                    return each, canonical, variable
        import difflib

        near = difflib.get_close_matches(name, self.names(), n=1)
        mend = f"; did you mean {near[0]}?" if near else ""
        raise UnknownVariable(f"variable {name!r}: found in no group, wanted one that is declared{mend}")

    def _source(self, name: str, loaded: Loaded, *, has_value: bool) -> str:
        used = loaded.sources.get(name)
        over = self._over.get()
        if used is None:
            return "default" if has_value else "unset"
        if over is not None and used in over.names:
            return "override"
        return "environment" if used == name else f"alias {used}"
