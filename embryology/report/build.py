"""Measurements -> executed notebooks (papermill) -> the book.

A notebook about a series is executed for every series that has what it needs; runs that are frozen in ``results/``
get pages too. An executed notebook carries the hash of all that it was made of, and is made again only where that
changed: of measurements, those of the probes that it looked up when it was executed (:mod:`embryology.runs.reads`).
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import joblib
import yaml
from rich.console import Console

from embryology.analysis.factors import are_crossed
from embryology.errors import EmbryologyError
from embryology.progress import Progress
from embryology.report import again, ask_page, book, checkpoint_pages, inputs
from embryology.report.pages import PARAMETERS, Page, pages
from embryology.runs.hub import groups
from embryology.runs.paths import RunFolder, project_folder
from embryology.runs.reads import ALL, noted
from embryology.runs.series import Series, seed_pairs
from embryology.storage.files import read_json, refusal, sha256_of, sha256_of_file, written_whole

SEVERAL = ("front", "comparison", "seeds", "factors", "runs")
"""Kinds of pages that are about several series, so that none is named in their heading."""
INJECTED, HIDDEN, LIST = "injected-parameters", "remove-cell", "pages"
"""Tags of cells: papermill's own, the one that keeps a cell out of the book, and that of the list of other pages."""


@dataclass(frozen=True)
class Execution:
    """A page that is to be there."""

    label: str
    page: Page
    parameters: dict[str, Any]
    place: Path
    of: str | None
    """The series that its heading names; None where the page is about several, or none."""
    list: str | None
    """What takes the place of the text of the cell tagged :data:`LIST`: on the front page the other pages, else links
    to pages of checkpoints."""
    made_of: Sequence[Any]
    """The template, the parameters, the studies and all code that it imports, as hashes."""
    files: Sequence[inputs.Files]
    """Of the series that it is about."""

    def sha256(self, reads: Sequence[Sequence[str]] | None) -> str:
        """Of all that it is made of; of measurements those that it ``reads``, probes by series, None being all."""
        if reads is None or len(reads) != len(self.files):
            reads = [[ALL]] * len(self.files)
        return sha256_of([*self.made_of, [of.read(probes) for of, probes in zip(self.files, reads, strict=True)]])

    def named(self, text: str) -> str:
        """The text of its first cell, with a heading that names the series."""
        _, *rest = text.splitlines(keepends=True)
        return "".join([f"# {self.page.title}{f' ({self.of})' if self.of else ''}\n", *rest]).rstrip("\n")

    def is_current(self) -> bool:
        try:
            recorded = read_json(self.place)["metadata"]["embryology"]
            return bool(recorded["sha256"] == self.sha256(recorded["reads"]))
        except (EmbryologyError, KeyError, TypeError):
            return False  # not there, or not ours


def report(
    runs: Sequence[str],
    parameters: Sequence[str] = (),
    console: Console | None = None,
    root: Path | None = None,
    jobs: int | None = None,
    to: str | Path | None = None,
) -> Path:
    """Execute the notebooks on measured runs and build the book; what did not change is skipped.

    Args:
        runs: names or paths of runs, or of folders of checkpoints; the first gives the book's front page.
        parameters: ``name=value`` for every notebook of ``runs``, beside ``run``.
        console: where progress is shown; None shows none.
        root: the project's folder; None takes the one that the package lies in.
        jobs: how many notebooks are executed at a time; None takes the processor's cores.
        to: a folder to put the built book in; one of a book that was put there before gives way.

    Returns:
        The page to open.

    Raises:
        EmbryologyError: there is no project's folder, a run or its measurements are missing, a parameter is unknown
            (said before anything is executed), a notebook raised one itself, the book has warnings, or something else
            is at ``to``.
    """
    console, root = console or Console(quiet=True), root or project_folder()
    folder = book.place_for(to) if to else None
    places = {RunFolder.named(each.place).root: str(each.place) for run in runs for each in groups.members(run)}
    frozen = sorted(file.parent for file in (root / "results").glob(f"*/{RunFolder(root).frozen.name}"))
    opened = Series.open_all(runs, frozen)
    asked, others = opened[: len(places)], opened[len(places) :]
    # A frozen run of the recipe and the seed that are reported would say everything twice.
    reported = {(each.recipe, each.seed) for each in asked if each.recipe is not None}
    contents = _contents(asked, [each for each in others if (each.recipe, each.seed) not in reported], root)
    contents = replace(contents, ask=ask_page.prepare(root, contents.series, contents.frozen, console))
    given = dict(map(_split, parameters))
    contents.chosen.extend(checkpoint_pages.wanted(contents, given.get("steps", "all"), root))
    checkpoint_pages.ordered(contents.chosen)
    for series, page, reasons in contents.left_out:
        why = "; ".join(reasons)
        console.print(f"{series.name}/{page.name}.ipynb: left out: {why}", highlight=False, soft_wrap=True)
    stale = []
    steps = given.get("steps", "all")
    for execution in checkpoint_pages.settled(contents, executions(contents, places, given, root), steps):
        if execution.is_current():
            because = "same template, parameters, measurements, code"
            console.print(f"{execution.label}: unchanged, skipped ({because})", highlight=False, soft_wrap=True)
            name_again(execution)
        else:
            stale.append(execution)
    if stale:
        execute_all(stale, console, jobs or joblib.cpu_count())
    index = book.build(root, book.contents(root, contents), console)
    if folder:
        index = book.put(index.parent, folder, console)
    console.print(f"open {index}", highlight=False, soft_wrap=True)
    return index


def _contents(series: Sequence[Series], frozen: Sequence[Series], root: Path) -> book.Contents:
    """The pages of the series that were asked for and of those that are frozen in the project."""
    contents = book.Contents(tuple(series), tuple(frozen), [], [], {})
    for page in pages(root):
        if page.is_study:
            contents.chosen.append((None, page))
            continue
        if page.metadata.kind == checkpoint_pages.KIND:
            contents.left_out.extend((each, page, reasons) for each in series if (reasons := page.lacks(each)))
            continue
        if page.metadata.kind in ("front", "runs"):
            contents.chosen.append((series[0], page))
            continue
        if page.metadata.kind == "factors":
            contents.chosen.extend([(series[0], page)] if are_crossed(series) else [])
            continue
        if page.metadata.kind == "seeds":
            contents.chosen.extend((each, page) for each in series if contents.compared(page, each))
            continue
        lacking = [(each, page.lacks(each)) for each in (*series, *frozen)]
        ready = [each for each, reasons in lacking if not reasons]
        # What the seed changes is shown beside the first run of a recipe, which has the pages.
        other_seeds = [other for one, other in seed_pairs([*series, *frozen]) if one in ready]
        contents.comparable[page.name] = ready
        for each, reasons in lacking:
            if each in frozen and (page.metadata.kind not in ("losses", "probe") or each in other_seeds):
                continue
            if page.metadata.kind == "comparison" and (each is not series[0] or not contents.compared(page, each)):
                continue
            if not reasons:
                contents.chosen.append((each, page))
            elif each in series:
                contents.left_out.append((each, page, reasons))
    return contents


def executions(contents: book.Contents, places: dict[Path, str], given: dict[str, str], root: Path) -> list[Execution]:
    """``places`` is what a person called the series that were asked for; a notebook finds the others in the project."""
    places = {each.folder.root: f"results/{each.folder.name}" for each in contents.frozen} | places
    files: dict[Path, inputs.Files] = {}
    made = []
    for series, page in contents.chosen:
        # Steps, say, are chosen of the runs that were asked for; a frozen one has others.
        said = given if series in contents.series and page.step is None else {}
        values = _checked(said, page)
        of_series, text = list[inputs.Files](), None
        if series is not None:
            values["run"] = places[series.folder.root]
            if page.step is not None:
                values["step"] = page.step
            if page.metadata.kind in SEVERAL:
                others = contents.compared(page, series)
                named = values["compare"] if "compare" in said else []  # and not a notebook's default
                values["compare"] = [*named, *(places[other.folder.root] for other in others)]
            for each in (series, *Series.open_all(values.get("compare", []))):
                if each.folder.root not in files:  # which many pages read, and an audit reads weights
                    files[each.folder.root] = inputs.files_of(each)
                of_series.append(files[each.folder.root])
            if page.metadata.kind == "front":
                text = contents.list_of_pages(root)
        of = None if series is None or page.metadata.kind in SEVERAL else series.name
        made_of = [sha256_of_file(page.template), values, text, of, inputs.studies(), inputs.code(page)]
        is_one_of_several = series is not None and list(contents.series) != [series]
        label = f"{series.name}/{page.name}.ipynb" if series and is_one_of_several else f"{page.name}.ipynb"
        place = book.executed_page(root, series, page)
        made.append(Execution(label, page, values, place, of, text, made_of, of_series))
    return made


def _split(parameter: str) -> tuple[str, str]:
    name, sign, value = parameter.partition("=")
    if not sign or not name.strip():
        raise EmbryologyError(f"a parameter is given as name=value, not as {parameter!r}")
    return name.strip(), value.strip()


def _checked(given: dict[str, str], page: Page) -> dict[str, Any]:
    """The values for a notebook, each of the type of its default.

    Papermill would only log an unknown parameter and go on.
    """
    known = page.parameters()
    known.pop("run", None)  # which the argument gives
    values = dict(known)
    for name, text in given.items():
        if name not in known:
            raise EmbryologyError(
                f"{page.template.name} has no parameter {name!r}; it has {', '.join(known) or 'none'}"
            )
        values[name] = text if isinstance(known[name], str) else _parsed(text)
        if known[name] is not None and type(values[name]) is not type(known[name]):
            wanted = f"a {type(known[name]).__name__} such as {known[name]!r}"
            raise EmbryologyError(f"{page.template.name}: parameter {name} is {wanted}, not {text!r}")
    return values


def _parsed(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def execute_all(
    executions: Sequence[Execution], console: Console, jobs: int, keep_going: bool = False
) -> dict[str, str]:
    """In threads, each of which waits for a kernel of its own; where one fails no other is begun.

    Returns:
        With ``keep_going``, why some could not be executed, by their labels; the others then are.
    """
    from jupyter_core.utils import ensure_event_loop  # late, as papermill

    from embryology.report.kernel import OwnKernel

    # Of many runs, and so the longest: begun first, it is not waited for last.
    ordered = sorted(executions, key=lambda execution: execution.page.metadata.kind not in SEVERAL)
    failed, reasons = threading.Event(), dict[str, str]()
    with Progress(console, "{task.completed} of {task.total}") as progress, ThreadPoolExecutor(jobs) as pool:
        bar = progress.add_task("executing notebooks", total=len(ordered))

        def timed(execution: Execution) -> float | None:
            if failed.is_set():
                return None
            started = time.monotonic()
            try:
                _execute(execution)
            except BaseException as error:
                if keep_going and isinstance(error, Exception) and not refusal(error):
                    reasons[execution.label] = _in_a_line(error)
                    return None
                failed.set()
                raise
            finally:
                ensure_event_loop().close()  # nbclient leaves the thread's open
            return time.monotonic() - started

        futures = {pool.submit(timed, execution): execution for execution in ordered}
        try:
            for future in as_completed(futures):
                if (seconds := future.result()) is not None:
                    console.print(f"{futures[future].label}: executed in {seconds:.1f} s", highlight=False)
                progress.update(bar, advance=1)
        except BaseException:
            failed.set()
            pool.shutdown(wait=False, cancel_futures=True)
            logging.getLogger("papermill").setLevel(logging.CRITICAL)  # which kernels died is no news
            while not all(future.done() for future in futures):  # `wait` takes cancelled ones for not done
                OwnKernel.kill_all()  # again, for one that was about to start
                time.sleep(0.2)
            raise
    return reasons


def _in_a_line(error: Exception) -> str:
    """What a notebook that could not be executed raised."""
    if isinstance(error, EmbryologyError):
        return str(error)
    name, said = (getattr(error, each, "") for each in ("ename", "evalue"))  # of papermill's
    return " ".join((f"{name}: {said}" if name else f"{type(error).__name__}: {error}").split())[:300]


def _execute(execution: Execution) -> None:
    import nbformat  # late, like papermill: a report with nothing to do is to take no time
    import papermill

    from embryology.report.kernel import OwnKernel

    with TemporaryDirectory(prefix="embryology-") as folder:
        reads_at = Path(folder) / "reads"
        try:
            # In the caller's folder, so that the path of a run means there what it means here.
            notebook = papermill.execute_notebook(
                execution.page.template,
                None,
                execution.parameters,
                kernel_name="python3",
                language="python",
                kernel_manager_class=OwnKernel.noting(reads_at),
                iopub_timeout=60,  # seconds; where cores are shared, nbclient's 4 are too few
                record_timing=False,
                progress_bar=False,
            )
        except papermill.PapermillExecutionError as error:
            if error.ename == EmbryologyError.__name__:
                raise EmbryologyError(f"{execution.label}: {error.evalue}") from error
            error.add_note(f"in {execution.page.template}")
            raise
        reads = inputs.reads(execution.page, execution.files, noted(reads_at))
    _tidy(notebook, execution)
    notebook.metadata["embryology"] = {"sha256": execution.sha256(reads), "reads": reads}
    with written_whole(execution.place) as temporary:
        temporary.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


def name_again(execution: Execution) -> None:
    """Give a page that was executed before the heading and the links that it has in this book."""
    page = read_json(execution.place)
    cells = page["cells"]
    before = ["".join(cell["source"]) for cell in cells]
    after = [execution.named(before[0]), *before[1:]]
    if execution.list is not None:
        after = [
            execution.list if LIST in cell.get("metadata", {}).get("tags", []) else text
            for cell, text in zip(cells, after, strict=True)
        ]
    if after != before:
        for cell, text in zip(cells, after, strict=True):
            cell["source"] = text.splitlines(keepends=True)
        with written_whole(execution.place) as temporary:
            temporary.write_text(json.dumps(page, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _tidy(notebook: Any, execution: Execution) -> None:
    """Hide the parameters, name the series, put in the list of pages, and drop times and paths: the same inputs give
    the same bytes.
    """
    notebook.cells[0].source = execution.named(notebook.cells[0].source)
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        tags = cell.metadata.get("tags", [])
        if INJECTED in tags:
            cell.id = INJECTED
        if {INJECTED, PARAMETERS} & set(tags) and HIDDEN not in tags:
            cell.metadata["tags"] = [*tags, HIDDEN]
        if LIST in tags and execution.list is not None:
            cell.source = execution.list
        again.tell(cell, execution.page, execution.parameters, execution.place)
