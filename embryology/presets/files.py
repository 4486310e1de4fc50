"""Presets as files; one may say of which other it is a change, so that what differs is all that it holds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from embryology.errors import EmbryologyError
from embryology.storage.files import read_yaml

EXTENDS = "extends"


def values_of(file: Path, find: Callable[[str, Path], Path], within: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The keys of a preset with their values: its own, and what it does not say as in the one that it extends.

    Args:
        file: of the preset.
        find: the file of a preset by its name or path, which counts from a folder.
        within: files that extend this one.

    Raises:
        EmbryologyError: a file holds no keys, or extends itself.
    """
    values = read_yaml(file) or {}
    if not isinstance(values, dict):
        raise EmbryologyError(f"{file} holds no preset: it is one {type(values).__name__}, and not keys with values")
    if EXTENDS not in values:
        return values
    base = values[EXTENDS]
    if not isinstance(base, str):
        raise EmbryologyError(f"{file}: {EXTENDS} names one preset, by its name or its .yaml file")
    other = find(base, file.parent)
    if other in (file, *within):
        raise EmbryologyError(f"{file}: {EXTENDS} leads back to {other}, so that neither says all; name another")
    inherited = values_of(other, find, (file, *within))
    inherited.pop("name", None)
    return _changed(inherited, {key: value for key, value in values.items() if key != EXTENDS})


def _changed(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``values`` with ``changes``, section by section; what is no section, as a list, is replaced, and what is null is
    left out."""
    changed = values | {
        key: _changed(values[key], change) if isinstance(change, dict) and isinstance(values.get(key), dict) else change
        for key, change in changes.items()
    }
    return {key: value for key, value in changed.items() if value is not None}
