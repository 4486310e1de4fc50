"""What a person can call on the command line: runs, presets and probes, by their names.

A shell that completes a word waits for this, so it imports nothing heavy.
"""

from collections.abc import Callable
from glob import escape, glob
from importlib import resources
from importlib.metadata import entry_points

from embryology.runs.paths import RunFolder, home, runs_folder
from embryology.specs.registry import GROUP


def runs() -> list[str]:
    """The folders in the runs folder, and the frozen runs in its `results`."""
    own = [folder.name for folder in runs_folder().glob("[!.]*") if folder.is_dir()]
    frozen = [f"results/{file.parent.name}" for file in home().glob(f"results/*/{RunFolder(home()).frozen.name}")]
    return sorted(own) + sorted(frozen)


def presets() -> list[str]:
    """Those that come with the package."""
    folder = resources.files("embryology") / "presets"
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))


def probes() -> list[str]:
    """Those that are installed."""
    return sorted(entry_points(group=GROUP).names)


def completed(names: Callable[[], list[str]], incomplete: str) -> list[str]:
    """Of names those that begin as a word does; of a word with a slash in it the folders too."""
    folders = [folder.rstrip("/") for folder in glob(f"{escape(incomplete)}*/")] if "/" in incomplete else []
    return [name for name in dict.fromkeys([*names(), *sorted(folders)]) if name.startswith(incomplete)]
