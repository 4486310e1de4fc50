"""Plug-ins that are not installed: one file each, which its author keeps and a command is given (``--plugin``)."""

import hashlib
import sys
import traceback
from collections.abc import Collection
from dataclasses import dataclass
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from embryology.errors import EmbryologyError
from embryology.specs import Specification
from embryology.specs.sources import Source


@dataclass(frozen=True)
class PlugIn:
    """A file that was imported as a module of its name."""

    file: Path
    sha256: str
    """Of the bytes that were executed."""
    specifications: tuple[Specification, ...]
    sources: tuple[Source, ...]


def load(file: Path, taken: Collection[str]) -> PlugIn:
    """Import a file as the module of its name, which notebooks can then import too.

    Other files of its folder are not found: what the hash does not hold could change numbers without a word.

    Args:
        file: its absolute path.
        taken: names of the probes that there are.

    Raises:
        EmbryologyError: the file is not there, another module has its name, it raises while it is imported, or it
            specifies nothing, what is not there, or a probe whose name is taken.
    """
    name = file.stem
    try:
        source = file.read_bytes()
    except OSError as error:
        raise EmbryologyError(f"there is no plug-in at {file} that can be read ({error.strerror})") from error
    if file.suffix != ".py" or not name.isidentifier():
        raise EmbryologyError(f"the plug-in {file} is no module: call it by a name such as sentence_length.py")
    module = sys.modules.get(name)  # of a notebook that was opened by hand beside it
    if module is None or not _is_at(getattr(module, "__file__", None), file):
        if module is not None or ((other := find_spec(name)) is not None and not _is_at(other.origin, file)):
            raise EmbryologyError(f"the plug-in {file} has the name of another module, {name!r}; rename the file")
        module = _executed(name, file, source)
    try:
        specifications, sources = _specified(module, file, taken), _sources(module, file)
        if not specifications and not sources:
            raise EmbryologyError(
                f"the plug-in {file} holds no specification, whose probe is '{name}:' and the name of its class, and "
                "lists no SOURCES of data"
            )
        return PlugIn(file, hashlib.sha256(source).hexdigest(), specifications, sources)
    except EmbryologyError:
        del sys.modules[name]
        raise


def _is_at(place: str | None, file: Path) -> bool:
    return place is not None and Path(place).resolve() == file


def _executed(name: str, file: Path, source: bytes) -> ModuleType:
    """Compiled here: what Python keeps of a module beside it is known by its time, which an edit may not change."""
    spec = spec_from_file_location(name, file)
    assert spec is not None
    module = sys.modules[name] = module_from_spec(spec)
    try:
        exec(compile(source, file, "exec", dont_inherit=True), vars(module))
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise EmbryologyError(f"the plug-in {file} cannot be loaded: line {line or '?'}: {said}; fix it") from error
    return module


def _specified(module: ModuleType, file: Path, taken: Collection[str]) -> tuple[Specification, ...]:
    """What a module specifies itself, not what it imports."""
    found = [each for each in vars(module).values() if isinstance(each, Specification)]
    own = {id(each): each for each in found if each.probe.startswith(f"{file.stem}:")}.values()
    names = [*taken, *(each.name for each in own)]
    for each in own:
        if names.count(each.name) > 1:
            raise EmbryologyError(f"the plug-in {file} has a probe {each.name!r}, and there is another; rename it")
        if not callable(getattr(module, each.probe.partition(":")[2], None)):
            raise EmbryologyError(f"the plug-in {file} specifies the probe {each.probe!r}, which is not in it")
        for page in each.pages:
            if not (isinstance(page, Path) and page.is_absolute() and page.is_file()):
                raise EmbryologyError(
                    f"the plug-in {file} specifies the page {str(page)!r}, which is not there; say "
                    "Path(__file__).with_name(…)"
                )
    return tuple(own)


def _sources(module: ModuleType, file: Path) -> tuple[Source, ...]:
    """What a module lists in ``SOURCES``."""
    listed = getattr(module, "SOURCES", ())
    if not isinstance(listed, tuple) or not all(isinstance(each, Source) for each in listed):
        raise EmbryologyError(f"the plug-in {file} has SOURCES that are no tuple of sources of data")
    names = [(each.kind, each.name) for each in listed]
    if doubled := next((name for kind, name in names if names.count((kind, name)) > 1), None):
        raise EmbryologyError(f"the plug-in {file} has two sources of data called {doubled!r}; rename one")
    return listed
