"""``measurements/plugins.json``: the files of plug-ins that a run is measured with, so that they are found again.

Paths of this machine by the names of modules. Whoever opens the series has its probes: a resume, the report and its
notebooks, ``show``, ``freeze``. What is frozen names none: of that, and where a file was moved, it is given anew.
"""

from pathlib import Path

import filelock
from pydantic import TypeAdapter, ValidationError

from embryology.errors import EmbryologyError, problems
from embryology.runs.paths import RunFolder
from embryology.specs import registry
from embryology.storage.files import read_json, write_json

_of_runs: set[str] = set()
"""Names of plug-ins that were added because a run's record names them. Others were given, which counts for more."""


def keep(run: RunFolder) -> None:
    """Record all plug-ins that were added in this process."""
    given = {name: str(plugin.file) for name, plugin in registry.added.items()}
    if given.items() <= _recorded(run).items():  # and so nothing waits where many jobs measure a run
        return
    run.measurements.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(run.measurements / ".lock"):  # other probes may be recorded by other processes
        before = _recorded(run)
        now = before | given
        if now != before:
            write_json(run.plugins, dict(sorted(now.items())))


def restore(run: RunFolder) -> None:
    """Add the plug-ins that a run is measured with, but for those that were given.

    Raises:
        EmbryologyError: a file is gone, is another one than that of another run, or cannot be loaded; the record is
            damaged, or names a file of the folder itself, which somebody else may have made.
    """
    for name, place in _recorded(run).items():
        if name in registry.added and name not in _of_runs:
            continue
        file = Path(place)
        if not file.is_absolute() or file.resolve().is_relative_to(run.root.resolve()):
            raise EmbryologyError(
                f"{run.plugins} names {place}, code of that folder; if you trust it: --plugin {place}"
            )
        if not file.is_file():
            raise EmbryologyError(
                f"{run.name} is measured with the plug-in {place}, which is gone; say where it is now by --plugin, or "
                f"take it out of {run.plugins}"
            )
        registry.add(file)
        _of_runs.add(name)


def _recorded(run: RunFolder) -> dict[str, str]:
    if not run.plugins.exists():
        return {}
    try:
        return TypeAdapter(dict[str, str]).validate_python(read_json(run.plugins))
    except ValidationError as error:
        raise EmbryologyError(
            f"{run.plugins} is damaged ({problems(error)}); remove it and give the plug-ins by --plugin"
        ) from error
