"""All source that code imports: what a page depends on beside its measurements, and a measurement beside its data."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from embryology.specs.registry import GROUP, added, get
from embryology.storage.files import sha256_of

PACKAGE = Path(__file__).resolve().parents[1]


def imported(cells: list[dict[str, Any]]) -> list[Path]:
    """The files of this package, and of plug-ins, that the code of a notebook imports, directly or not.

    Imports within functions count too. Other packages do not: their versions are pinned.
    """
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return _with_imports(file for source in sources for file in _files(source))


@cache
def source_of(probe: str) -> str:
    """The hash of the code that a probe's numbers come from: the file of its class, and what that imports.

    Comments, documentation and layout do not count. Nor do other packages, whose versions are pinned.

    Raises:
        EmbryologyError: there is no such probe.
    """
    files = _with_imports(modules(get(probe).probe.partition(":")[0]))
    return sha256_of({_name(file): _normalised(file) for file in files})


def _name(file: Path) -> str:
    return file.relative_to(PACKAGE.parent).as_posix() if file.is_relative_to(PACKAGE) else file.name


@cache
def _normalised(file: Path) -> str:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [each for each in body if not _is_text(each)]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _with_imports(files: Iterable[Path]) -> list[Path]:
    waiting, seen = [*files], set[Path]()
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += _imports_of(file)
    return sorted(seen)


@cache
def _imports_of(file: Path) -> list[Path]:
    return list(_files(file.read_text(encoding="utf-8")))


def _files(source: str) -> Iterator[Path]:
    for name in names(source):
        yield from modules(name)


def names(source: str) -> Iterator[str]:
    """The dotted names that code imports, within functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules(name: str) -> Iterator[Path]:
    """The file of each module on the way to a dotted name, whose last part may be something within a module."""
    top, *parts = name.split(".")
    place = _top_level().get(top)
    if place is None and top in added:
        place = added[top].file.with_suffix("")
    if place is None:
        return
    yield from _at(place)
    for part in parts:
        place = place / part
        yield from _at(place)


def _at(place: Path) -> Iterator[Path]:
    for file in (place / "__init__.py", place.with_suffix(".py")):
        if file.is_file():
            yield file


@cache
def _top_level() -> dict[str, Path]:
    """Where this package and the packages or modules of plug-ins lie, without their endings."""
    places = {"embryology": PACKAGE}
    for entry in entry_points(group=GROUP):
        top = entry.module.split(".")[0]
        module = find_spec(top)
        if top not in places and module is not None and module.origin:
            file = Path(module.origin)
            places[top] = file.parent if file.name == "__init__.py" else file.with_suffix("")
    return places
