"""Changes of the package's code that may make a number wrong: by cosmic-ray's operators, or written by hand."""

import ast
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parent
PACKAGE = ROOT / "embryology"
OPERATORS = (
    *("ReplaceBinaryOperator", "ReplaceComparisonOperator", "ReplaceUnaryOperator"),
    *("AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "NumberReplacer", "ZeroIterationForLoop"),
)
"""Prefixes of cosmic-ray's names: those that leave decorators, variables and handled errors alone."""
LOUD = ("_LShift", "_RShift", "_BitXor", "_Pow", "_Mod")
"""Ends of those that mostly raise an error: what they put in is not defined for floats."""


@dataclass(frozen=True)
class Change:
    """Text of a file that is replaced; it stands there once."""

    file: str
    old: str
    new: str
    kind: str
    what: str = ""

    @property
    def room(self) -> str:
        return Path(self.file).parts[1].removesuffix(".py")

    @property
    def lines(self) -> range:
        """The lines of the file that it touches, from 1."""
        before = (ROOT / self.file).read_text().split(self.old)[0].count("\n") + 1
        return range(before, before + self.old.rstrip("\n").count("\n") + 1)

    @property
    def statements(self) -> set[int]:
        """The lines on which statements begin that it touches: those that coverage knows, where one has several."""
        touched, tree = self.lines, ast.parse((ROOT / self.file).read_text())
        simple = (node for node in ast.walk(tree) if isinstance(node, ast.stmt) and not hasattr(node, "body"))
        return {node.lineno for node in simple if node.lineno < touched.stop and node.end_lineno >= touched.start}

    @property
    def key(self) -> str:
        return hashlib.sha256("\0".join((self.file, self.old, self.new)).encode()).hexdigest()[:16]

    def applied(self, source: str) -> str | None:
        """The source with it, nothing where another change took its place."""
        return source.replace(self.old, self.new) if source.count(self.old) == 1 else None

    def __str__(self) -> str:
        return f"{self.file}:{self.lines.start}: {self.old.strip()!r} -> {self.new.strip()!r}"


def listed(name: str) -> list[Change]:
    """The changes of a list: a folder with a file for each room."""
    if not (HERE / name).is_dir():
        raise SystemExit(f"error: there is no list {name}; lists are folders in {HERE.name}/")
    entries = [entry for file in sorted((HERE / name).glob("*.yaml")) for entry in yaml.safe_load(file.read_text())]
    changes = [Change(**entry, kind=name) for entry in entries]
    if gone := [change for change in changes if change.applied((ROOT / change.file).read_text()) is None]:
        places = "\n".join(f"  {change.file}: {change.old!r}" for change in gone)
        raise SystemExit(f"error: text of mutants/{name} stands no more in its file, or more than once:\n{places}")
    return changes


def drawn(path: Path, number: int, seed: int) -> list[Change]:
    """``number`` changes that cosmic-ray's operators make in a file or folder, at places drawn with equal chance."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    places = [(file, place) for file in files for place in _places(file)]
    draw = random.Random(f"{seed} {path.relative_to(ROOT).as_posix()}")
    draw.shuffle(places)
    found: list[Change] = []
    for file, (_, ways) in places:
        operator, occurrence = draw.choice(ways)
        if len(found) < number and (change := _change(file, operator, occurrence)):
            found.append(change)
    return found


def _places(file: Path) -> Iterator[tuple[object, list[tuple[type, int]]]]:
    """Where something can be changed, with the operators that can, and which of their occurrences it is."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.operators.provider import _OPERATORS

    tree = get_ast(file.read_text())
    ways: dict[object, list[tuple[type, int]]] = {}
    for name, operator in _OPERATORS.items():
        if not name.startswith(OPERATORS) or name.endswith(LOUD):
            continue
        positions = (place for node in ast_nodes(tree) for place in operator().mutation_positions(node))
        for occurrence, place in enumerate(positions):
            ways.setdefault(place, []).append((operator, occurrence))
    yield from ways.items()


def _change(file: Path, operator: type, occurrence: int) -> Change | None:
    """One that alters more than types and what is said of the code; whole lines, so that it can be found again."""
    from cosmic_ray.mutating import mutate_code

    source = file.read_text()
    mutated = mutate_code(source, operator(), occurrence)
    try:
        if mutated is None or _meaning(source) == _meaning(mutated):
            return None
    except SyntaxError:
        return None
    before, after = source.splitlines(keepends=True), mutated.splitlines(keepends=True)
    start = next(number for number, pair in enumerate(zip(before, after, strict=False)) if len(set(pair)) > 1)
    tail = next(number for number in range(len(before)) if before[-1 - number] != after[-1 - number])
    end = len(before) - tail
    while start and source.count("".join(before[start:end])) > 1:
        start -= 1
    old, new = "".join(before[start:end]), "".join(after[start : len(after) - tail])
    return Change(file.relative_to(ROOT).as_posix(), old, new, "tool", operator.__name__)


def _meaning(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
    return ast.dump(tree)
