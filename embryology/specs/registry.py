"""The specifications by name, of this package and of plug-ins alike: the entry points ``embryology.probes``.

A plug-in's ``pyproject.toml`` has ``[project.entry-points."embryology.probes"]`` with a line ``name =
"module:SPECIFICATION"``; so has ours. One that is not installed is added by the path of its file. Sources of data are
found in the same two ways (``embryology.sources``); those of this package are listed by the room of their kind.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from embryology.errors import EmbryologyError, problems
from embryology.specs import ProbeSettings, Specification, plugins
from embryology.specs.plugins import PlugIn
from embryology.specs.sources import CALLED, Kind, Source, keyed

GROUP, SOURCES = "embryology.probes", "embryology.sources"
added: dict[str, PlugIn] = {}
"""Plug-ins that are not installed, by the names of their modules."""


def add(path: str | Path) -> None:
    """Take in what a file specifies, for the rest of this process; one that was added before is left as it is.

    Raises:
        EmbryologyError: as :func:`embryology.specs.plugins.load`, or another plug-in has its name.
    """
    file = Path(path).expanduser().resolve()
    if (before := added.get(file.stem)) is not None:
        if before.file != file:
            raise EmbryologyError(f"two plug-ins are called {file.stem!r}, {before.file} and {file}; rename one")
        return
    added[file.stem] = plugins.load(file, taken=specifications())
    specifications.cache_clear()


@cache
def specifications() -> dict[str, Specification]:
    """All that are installed or were added, the expensive ones last, else by name.

    Raises:
        EmbryologyError: one cannot be loaded, or two have one name.
    """
    by_name = {each.name: each for plugin in added.values() for each in plugin.specifications}
    for entry in entry_points(group=GROUP):
        specification = _loaded(entry, "probe")
        if not isinstance(specification, Specification) or specification.name != entry.name:
            raise EmbryologyError(f"the entry point {entry.name!r} ({entry.value}) is no specification of that name")
        if by_name.setdefault(entry.name, specification) is not specification:
            raise EmbryologyError(f"two installed probes are called {entry.name!r}; uninstall one of them")
    return dict(sorted(by_name.items(), key=lambda pair: (pair[1].expensive, pair[0])))


def _loaded(entry: EntryPoint, what: str) -> Any:
    try:
        return entry.load()
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise EmbryologyError(
            f"the {what} {entry.name!r} ({entry.value}) cannot be loaded: {reason}; fix or uninstall that plug-in"
        ) from error


def get(name: str) -> Specification:
    """The specification of that name.

    Raises:
        EmbryologyError: there is none.
    """
    known = specifications()
    if name not in known:
        raise EmbryologyError(
            f"there is no probe {name!r}; choose one of {', '.join(known)}, or give the file of another by --plugin"
        )
    return known[name]


def file_of(name: str) -> PlugIn | None:
    """The file that specifies a probe; None of one that is installed."""
    return next((each for each in added.values() if name in {own.name for own in each.specifications}), None)


def version(name: str) -> int | str:
    """Of what a probe measures: its own number and, as a file may be edited at any time, the hash of that."""
    number, plugin = get(name).version, file_of(name)
    return number if plugin is None else f"{number}+{plugin.sha256[:12]}"


def settings_of(name: str, values: dict[str, Any]) -> ProbeSettings:
    """``values`` as the settings of a probe.

    Raises:
        EmbryologyError: there is no such probe or setting, or a value is wrong.
    """
    try:
        return get(name).settings.model_validate(values)
    except ValidationError as error:
        raise EmbryologyError(f"settings of probe {name}.{problems(error)}") from error


def asked_for(names: list[str] | None, recorded: dict[str, dict[str, Any]]) -> dict[str, ProbeSettings]:
    """The probes that are to measure, with their settings.

    Args:
        names: those that a person named; None takes the ``recorded`` ones, and where there are none all that are not
            expensive.
        recorded: settings by probe, of a preset.

    Raises:
        EmbryologyError: as :func:`settings_of`.
    """
    chosen = names or list(recorded) or [name for name, each in specifications().items() if not each.expensive]
    return {name: settings_of(name, recorded.get(name, {})) for name in chosen}


def sources(kind: Kind, own: Iterable[Source]) -> dict[str, Source]:
    """By name the sources of a kind: this package's ``own``, and those of plug-ins.

    Raises:
        EmbryologyError: two have one name, or an installed one cannot be loaded.
    """
    by_name = {each.name: each for each in own}
    for source, reader in of_plugins():
        if source.kind == kind:
            if source.name in by_name:
                raise EmbryologyError(f"two sources of the kind {CALLED[kind]} are called {source.name!r}; rename one")
            by_name[source.name] = replace(source, find=partial(keyed, source, reader))
    return by_name


def of_plugins() -> Iterator[tuple[Source, str]]:
    """The sources of plug-ins, each with what tells its reader from any other."""
    for source in _installed_sources():
        yield source, str(source.version)
    for plugin in added.values():
        for source in plugin.sources:
            yield source, f"{source.version}+{plugin.sha256[:12]}"


@cache
def _installed_sources() -> tuple[Source, ...]:
    found = []
    for entry in entry_points(group=SOURCES):
        source = _loaded(entry, "source")
        if not isinstance(source, Source) or source.name != entry.name:
            raise EmbryologyError(f"the entry point {entry.name!r} ({entry.value}) is no source of that name")
        found.append(source)
    return tuple(found)
