"""Which changes of the code does no test see? ``python -m mutants --help``"""

import argparse
import hashlib
import json
import os
import queue
import random
import shutil
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from mutants import reach
from mutants.changes import PACKAGE, ROOT, Change, drawn, listed

ROOMS = (
    "corpus",
    "pretraining",
    "models",
    "probes",
    "treebanks",
    "facts",
    "grammar",
    "tasks",
    "analysis",
    "figures",
    "runs",
)
ROOMS += ("intervals", "presets", "specs", "storage", "report", "data")
SEEN, SURVIVED, UNREACHED = "seen", "survived", "unreached"
LISTS = ("by_hand", "afterwards")
BUDGET = 240
"""Seconds of tests, quickest first, that one change is given; what survives them is confirmed by a whole run."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("mutants", description=__doc__)
    parser.add_argument("--rooms", nargs="+", default=ROOMS, metavar="ROOM", help="rooms of the package (all)")
    parser.add_argument("--since", metavar="REVISION", help="instead: the files that changed since a revision")
    parser.add_argument("--lists", nargs="*", default=LISTS, metavar="LIST", help="folders of changes (all)")
    parser.add_argument("--sample", type=int, help="of each list and room only so many, drawn (all)")
    parser.add_argument("--drawn", type=int, default=15, help="changes drawn for each room, or each file (15)")
    parser.add_argument("--seed", type=int, default=0, help="of the drawing (0)")
    parser.add_argument("--jobs", type=int, default=2, help="tests side by side (2)")
    parser.add_argument("--state", type=Path, default=ROOT / ".mutants", help="folder to resume from (.mutants)")
    parser.add_argument("--confirm", action="store_true", help="run all tests with the survivors, all at once")
    return parser.parse_args()


class Trees:
    """Copies of the working tree, one for each test that runs."""

    def __init__(self, folder: Path, jobs: int):
        self._free: queue.Queue[Path] = queue.Queue()
        for number in range(jobs):
            tree = folder / f"tree{number}" / "tree"
            shutil.rmtree(tree, ignore_errors=True)
            listing = subprocess.run(
                ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
            )
            for name in filter(None, listing.stdout.split("\0")):
                if (ROOT / name).is_file():
                    (tree / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(ROOT / name, tree / name)
            shutil.copytree(ROOT / ".git", tree / ".git")
            (tree / ".venv").symlink_to(sys.prefix)
            self._free.put(tree)

    def __call__(self, work: Callable[[Path], object]) -> object:
        tree = self._free.get()
        try:
            return work(tree)
        finally:
            self._free.put(tree)


class Reach:
    """Which tests reach which lines, measured again for a file of tests when it or its tests' names have changed: some
    are named by what lies in the repository, and a test that is not found any more would pass for one that fails."""

    def __init__(self, folder: Path, trees: Trees, pool: ThreadPoolExecutor):
        self.tests: dict[str, dict] = {}
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        files = [file.relative_to(ROOT).as_posix() for file in sorted((ROOT / "tests").rglob("test_*.py"))]
        names = _collected() if files else {}
        missing = [file for file in files if self._measured(file) != names[file]]
        done = Counter()

        def measure(file: str) -> None:
            def work(tree: Path) -> None:
                part, log = tree.parent / "reach.json", tree.parent / "log"
                part.unlink(missing_ok=True)
                if reach.in_process(tree, reach.measure, file, part, log=log, limit=1800) or not part.exists():
                    sys.exit(f"error: {file} did not end:\n{log.read_text()[-2000:]}")
                found = json.loads(part.read_text())
                if found["failed"]:
                    sys.exit(f"error: tests fail without any change: {', '.join(found['failed'])}")
                found["hashes"] = {name: _hash(name) for name in found["lines"]}
                self._place(file).write_text(json.dumps(found))

            trees(work)
            done["files"] += 1
            print(f"reach {done['files']}/{len(missing)} {file}", flush=True)

        list(pool.map(measure, missing))
        for file in files:
            self.tests[file] = json.loads(self._place(file).read_text())

    def _measured(self, file: str) -> set[str] | None:
        place = self._place(file)
        return set(json.loads(place.read_text())["seconds"]) if place.exists() else None

    def _place(self, file: str) -> Path:
        return self._folder / f"{file.replace('/', '.')}.{_hash(file)}.json"

    def of(self, change: Change) -> tuple[list[str], float]:
        """The tests that reach a change, files that take the least first, and their seconds."""
        reached = self._reaching(change.file, set(change.lines))
        return reached if reached[0] else self._reaching(change.file, change.statements)

    def _reaching(self, changed: str, touched: set[int]) -> tuple[list[str], float]:
        chosen: list[tuple[float, list[str]]] = []
        for found in self.tests.values():
            by_test = found["lines"].get(changed)
            if by_test is None:
                continue
            # Lines that run while a module is read, or that stand elsewhere by now, are reached by what reads it.
            known = found["hashes"][changed] == _hash(changed)
            reaching = {test for test, lines in by_test.items() if not known or touched & set(lines)}
            if reach.SHARED in reaching:
                reaching = set(found["seconds"])
            seconds = found["seconds"]
            if tests := sorted(reaching & set(seconds), key=lambda test: (seconds[test], test)):
                chosen.append((sum(seconds[test] for test in tests), tests))
        chosen.sort(key=lambda file: file[0])
        picked: list[str] = []
        spent = 0.0
        for seconds, tests in chosen:
            if picked and spent + seconds > BUDGET:
                break
            picked += tests
            spent += seconds
        return picked, spent


def _collected() -> dict[str, set[str]]:
    """The names of the tests by their file."""
    command = [sys.executable, "-m", "pytest", *reach.OPTIONS, "--rootdir", str(ROOT), "--collect-only", "tests"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    if run.returncode:
        sys.exit(f"error: the tests cannot be collected:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    names: dict[str, set[str]] = defaultdict(set)
    for line in run.stdout.splitlines():
        if "::" in line:
            names[line.split("::")[0]].add(line)
    return names


@cache
def _hash(file: str) -> str:
    return hashlib.sha256((ROOT / file).read_bytes()).hexdigest()[:16]


class Results:
    """What came of each change with these tests, kept so that an interrupted run goes on."""

    def __init__(self, place: Path):
        self._place, self._lock = place, threading.Lock()
        lines = place.read_text().splitlines() if place.exists() else []
        self.known = {(entry["change"], entry["tests"]): entry for entry in map(json.loads, lines)}

    def add(self, change: Change, tests: str, outcome: str, by: str) -> dict:
        entry = {"change": change.key, "tests": tests, "outcome": outcome, "by": by, "text": str(change)}
        with self._lock, self._place.open("a") as stream:
            stream.write(json.dumps(entry) + "\n")
        self.known[change.key, tests] = entry
        return entry


def _passes_alone(test: str, tree: Path) -> bool:
    """Whether a test passes in a tree as that stands; one that does not end, or ends all, does not."""
    failed, log = tree.parent / "failed", tree.parent / "log"
    failed.unlink(missing_ok=True)
    late = reach.in_process(tree, reach.some, [test], failed, log=log, limit=600)
    return not late and not failed.exists() and " passed" in log.read_text()


def _try(change: Change, found: Reach, trees: Trees, results: Results) -> dict:
    tests, seconds = found.of(change)
    key = hashlib.sha256("".join([*tests, *(_hash(test.split("::")[0]) for test in tests)]).encode()).hexdigest()[:16]
    if (change.key, key) in results.known:
        return results.known[change.key, key]
    if not tests:
        return results.add(change, key, UNREACHED, "")

    def work(tree: Path) -> dict:
        file, failed, log = tree / change.file, tree.parent / "failed", tree.parent / "log"
        failed.unlink(missing_ok=True)
        source = file.read_text()
        changed = change.applied(source)
        assert changed is not None, change
        try:
            file.write_text(changed)
            left = tests
            while left:
                late = reach.in_process(tree, reach.some, left, failed, log=log, limit=60 + 5 * seconds)
                by = failed.read_text().splitlines()[0] if failed.exists() else ""
                if by not in left or not _passes_alone(by, tree):
                    break
                print(f"{by} fails after other tests, and passes alone: it is left out for {change}", flush=True)
                left, by = left[left.index(by) + 1 :], ""
        finally:
            file.write_text(source)
        if late:
            return results.add(change, key, SEEN, "tests did not end")
        if by:
            if by in tests and not _passes_alone(by, tree):
                sys.exit(f"error: {by} fails without any change:\n{log.read_text()[-2000:]}")
            return results.add(change, key, SEEN, by)
        if " passed" not in log.read_text():
            sys.exit(f"error: tests of {change} did not run:\n{log.read_text()[-2000:]}")
        return results.add(change, key, SURVIVED, "")

    return trees(work)


def _confirm(survivors: list[Change], trees: Trees) -> dict[Change, str]:
    """Those that a whole run sees, with the test: all are made at once, then each alone against what failed."""
    seen: dict[Change, str] = {}

    def work(tree: Path) -> None:
        left = survivors
        while left:
            made = [change for change in left if _make(change, tree)]
            failed = _whole_run(tree)
            for change in made:
                shutil.copy2(ROOT / change.file, tree / change.file)
            for change in made if failed else ():
                part = tree.parent / "failed"
                part.unlink(missing_ok=True)
                _make(change, tree)
                reach.in_process(tree, reach.some, failed, part, log=tree.parent / "log", limit=1800)
                shutil.copy2(ROOT / change.file, tree / change.file)
                if part.exists():
                    seen[change] = part.read_text().splitlines()[0]
            if failed and not any(change in seen for change in made):
                sys.exit(f"error: no survivor alone makes these fail: {', '.join(failed)}")
            # Those whose place another one took are made in the next round.
            left = [change for change in left if change not in seen and (failed or change not in made)]

    trees(work)
    return seen


def _make(change: Change, tree: Path) -> bool:
    """Change a tree, if the place is still as it was."""
    changed = change.applied((tree / change.file).read_text())
    if changed is not None:
        (tree / change.file).write_text(changed)
    return changed is not None


def _whole_run(tree: Path) -> list[str]:
    """The tests that fail of those of ``make test``, which would install the tree."""
    command = [sys.executable, "-m", "pytest", *reach.OPTIONS, "-n", "2", "--dist", "loadfile"]
    run = subprocess.run(command, cwd=tree, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tree)})
    lines = (line.split(" ", 1) for line in run.stdout.splitlines())
    failed = [rest[0].split(" - ")[0] for what, *rest in lines if what in ("FAILED", "ERROR")]
    if run.returncode and not failed:
        sys.exit(f"error: the whole run did not end:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return failed


def _table(outcomes: dict[Change, dict]) -> Iterable[str]:
    kinds = sorted({change.kind for change in outcomes})
    counts: dict[tuple[str, str], Counter] = defaultdict(Counter)
    for change, entry in outcomes.items():
        for room in (change.room, "all"):
            counts[room, change.kind][entry["outcome"]] += 1
    yield "| | " + " | ".join(kinds) + " |"
    yield "|---|" + "---|" * len(kinds)
    for room in [*dict.fromkeys(change.room for change in outcomes), "all"]:
        cells = []
        for kind in kinds:
            count = counts[room, kind]
            cells.append(f"{count[SEEN]} of {count.total()}" if count else "")
        yield f"| {room} | " + " | ".join(cells) + " |"


def _changes(options: argparse.Namespace) -> list[Change]:
    if options.since:
        command = ["git", "diff", "--name-only", "--diff-filter=d", options.since, "--", "embryology/*.py"]
        names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        places = [ROOT / name for name in names]
    else:
        places = [
            next((file for file in (PACKAGE / f"{room}.py", PACKAGE / room) if file.exists()), None)
            for room in options.rooms
        ]
        if None in places:
            sys.exit(f"error: no room {options.rooms[places.index(None)]}; choose of {', '.join(ROOMS)}")
    changes = [change for name in options.lists for change in listed(name)]
    changes = [change for change in changes if any((ROOT / change.file).is_relative_to(place) for place in places)]
    if options.sample is not None:
        changes = list(_sampled(changes, options.sample, options.seed))
    changes += [change for place in places for change in drawn(place, options.drawn, options.seed)]
    same = {(change.file, change.old, change.new) for change in listed("equivalent")}
    return [change for change in changes if (change.file, change.old, change.new) not in same]


def _sampled(changes: list[Change], number: int, seed: int) -> Iterable[Change]:
    """``number`` of each kind and room, in the order that they had."""
    groups = defaultdict(list)
    for change in changes:
        groups[change.kind, change.room].append(change)
    for (kind, room), group in groups.items():
        chosen = random.Random(f"{seed} {kind} {room}").sample(range(len(group)), min(number, len(group)))
        yield from (group[index] for index in sorted(chosen))


def main() -> None:
    options = _arguments()
    os.environ.update(OMP_NUM_THREADS="1", PYTHONHASHSEED="0", HF_HUB_OFFLINE="1")
    changes = _changes(options)
    if not changes:
        sys.exit("no changes to try")
    options.state.mkdir(parents=True, exist_ok=True)
    trees, results = Trees(options.state, options.jobs), Results(options.state / "results.jsonl")
    with ThreadPoolExecutor(options.jobs) as pool:
        found = Reach(options.state / "reach", trees, pool)
        outcomes = {}
        for change, entry in zip(changes, pool.map(lambda one: _try(one, found, trees, results), changes), strict=True):
            outcomes[change] = dict(entry)
            print(f"{len(outcomes)}/{len(changes)} {entry['outcome']} {change} {entry['by']}", flush=True)
    unseen = [change for change, entry in outcomes.items() if entry["outcome"] != SEEN]
    if options.confirm:
        for change, test in _confirm(unseen, trees).items():
            outcomes[change].update(outcome=SEEN, by=test)
    print("\n".join(["", *_table(outcomes), ""]))
    for change, entry in outcomes.items():
        if entry["outcome"] != SEEN:
            print(f"{entry['outcome']}: {change} {change.what}")


if __name__ == "__main__":
    main()
