"""The specifications by name, of this package and of plug-ins alike: the entry points ``embryology.probes``.

A plug-in's ``pyproject.toml`` has ``[project.entry-points."embryology.probes"]`` with a line ``name =
"module:SPECIFICATION"``; so has ours.
"""

from functools import cache
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError

from embryology.errors import EmbryologyError, problems
from embryology.specs import ProbeSettings, Specification

GROUP = "embryology.probes"


@cache
def specifications() -> dict[str, Specification]:
    """All that are installed, the expensive ones last, else by name.

    Raises:
        EmbryologyError: one cannot be loaded, or two have one name.
    """
    by_name: dict[str, Specification] = {}
    for entry in entry_points(group=GROUP):
        try:
            specification = entry.load()
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise EmbryologyError(
                f"the probe {entry.name!r} ({entry.value}) cannot be loaded: {reason}; fix or uninstall that plug-in"
            ) from error
        if not isinstance(specification, Specification) or specification.name != entry.name:
            raise EmbryologyError(f"the entry point {entry.name!r} ({entry.value}) is no specification of that name")
        if by_name.setdefault(entry.name, specification) is not specification:
            raise EmbryologyError(f"two installed probes are called {entry.name!r}; uninstall one of them")
    return dict(sorted(by_name.items(), key=lambda pair: (pair[1].expensive, pair[0])))


def get(name: str) -> Specification:
    """The specification of that name.

    Raises:
        EmbryologyError: there is none.
    """
    known = specifications()
    if name not in known:
        raise EmbryologyError(f"there is no probe {name!r}; choose one of {', '.join(known)}")
    return known[name]


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
