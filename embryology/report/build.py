"""Measurements -> executed notebooks (papermill) -> the book.

Every notebook of the table of contents is a template, executed once for every run; runs that are frozen
in ``results/`` get some pages too. An executed notebook carries the hash of all that it was made of, and
is made again only where that changed.
"""

import ast
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from embryology import analysis, figures, intervals
from embryology.analysis import twins
from embryology.errors import EmbryologyError
from embryology.report import book
from embryology.runs import losses, measurements
from embryology.runs.checkpoints import MANIFEST
from embryology.runs.paths import ROOT, RunFolder
from embryology.storage.files import read_json, sha256_of, sha256_of_file, written_whole

PARAMETERS, INJECTED, HIDDEN = "parameters", "injected-parameters", "remove-cell"
"""Tags of cells: papermill's own two, and the one that keeps a cell out of the book."""


@dataclass(frozen=True)
class Page:
    """A notebook to be executed for a run."""

    label: str
    template: Path
    parameters: dict[str, Any]
    place: Path
    sha256: str
    """Of the template, the parameters, the files of the runs and the code that makes figures of them."""

    def is_current(self) -> bool:
        try:
            return read_json(self.place)["metadata"]["embryology"]["sha256"] == self.sha256
        except (EmbryologyError, KeyError, TypeError):
            return False  # not there, or not ours


def report(
    runs: Sequence[str], parameters: Sequence[str] = (), console: Console | None = None, root: Path = ROOT
) -> Path:
    """Execute the notebooks on measured runs and build the book; what did not change is skipped.

    Args:
        runs: names or paths of runs; the first gives the book's front page.
        parameters: ``name=value`` for every notebook of ``runs``, beside ``run``.
        console: where progress is shown; None shows none.
        root: the project's folder.

    Returns:
        The page to open.

    Raises:
        EmbryologyError: a run or its measurements are missing, a parameter is unknown (said before
            anything is executed), a notebook raised one itself, or the book has warnings.
    """
    console = console or Console(quiet=True)
    names = [RunFolder.named(run).name for run in runs]
    if not names or len(set(names)) < len(names):
        raise EmbryologyError(f"a report needs runs of different names, and got: {', '.join(names) or 'none'}")
    frozen = _frozen(root)
    toc = book.contents(root, names, list(frozen), _left_out(root, frozen))
    pages = _pages(frozen | dict(zip(names, runs, strict=True)), names, list(frozen), toc, parameters, root)
    for page in pages:
        if page.is_current():
            because = "same template, parameters, measurements, code"
            console.print(f"{page.label}: unchanged, skipped ({because})", highlight=False, soft_wrap=True)
            continue
        started = time.monotonic()
        with console.status(f"{page.label}: executing"):
            _execute(page)
        console.print(f"{page.label}: executed in {time.monotonic() - started:.1f} s", highlight=False)
    index = book.build(root, toc, console)
    console.print(f"open {index}", highlight=False, soft_wrap=True)
    return index


def _frozen(root: Path) -> dict[str, str]:
    """Path by name of the runs that are frozen in the project."""
    names = sorted(file.parent.name for file in (root / "results").glob(f"*/{RunFolder(root).frozen.name}"))
    return {name: f"results/{name}" for name in names}


def _left_out(root: Path, frozen: dict[str, str]) -> set[tuple[str, str]]:
    """Frozen runs and the notebooks of which they have no page.

    Those need a probe which has not measured the run and cannot any more, or have a page of another run already that
    differs by its seed alone: what the seed changes is told once, beside each other.
    """
    needs = {
        name: set(_metadata(root / "notebooks" / f"{name}.ipynb").get("needs", [])) for name in book.templates(root)
    }
    measured = {
        run: {file.parent.name for file in RunFolder(root / place).measurements.glob("*/*.parquet")}
        for run, place in frozen.items()
    }
    unmeasured = {(run, name) for run, probes in measured.items() for name, wanted in needs.items() if wanted - probes}
    pairs = [(one.name, other.name) for one, other in twins.pairs([root / place for place in frozen.values()])]
    return unmeasured | {(other, name) for one, other in pairs for name in needs if (one, name) not in unmeasured}


def _metadata(notebook: Path) -> dict:
    """What a notebook says of itself to this project."""
    return read_json(notebook)["metadata"].get("embryology", {})


def _pages(
    runs: dict[str, str], own: Sequence[str], frozen: Sequence[str], toc: dict, parameters: Sequence[str], root: Path
) -> list[Page]:
    given = dict(_split(parameter) for parameter in parameters)
    code = _code_sha256()
    pages = []
    for name, notebook in book.executed(toc):
        template = root / "notebooks" / f"{notebook}.ipynb"
        # Steps, say, are chosen of the runs that were asked for; a frozen one has others.
        values = {"run": runs[name], **_checked(given if name in own else {}, template)}
        if notebook == book.REFERENCE:
            values["compare"] = [*values["compare"], *(runs[other] for other in frozen if other != name)]
        files = [file for each in (runs[name], *values.get("compare", [])) for file in files_of(each)]
        made_of = [
            sha256_of_file(template),
            values,
            [[file.name, sha256_of_file(file)] for file in files],
            _studies(root),
            code,
        ]
        label = f"{notebook}.ipynb" if own == [name] else f"{name}/{notebook}.ipynb"
        pages.append(Page(label, template, values, book.executed_page(root, name, notebook), sha256_of(made_of)))
    return pages


def _split(parameter: str) -> tuple[str, str]:
    name, sign, value = parameter.partition("=")
    if not sign or not name.strip():
        raise EmbryologyError(f"a parameter is given as name=value, not as {parameter!r}")
    return name.strip(), value.strip()


def declared_parameters(template: Path) -> dict[str, Any]:
    """The parameters of a notebook and their defaults, from its cell tagged ``parameters``.

    Raises:
        EmbryologyError: there is no such cell, or it holds anything but ``name = value``.
    """
    for cell in read_json(template)["cells"]:
        if PARAMETERS in cell["metadata"].get("tags", []):
            try:
                tree = ast.parse("".join(cell["source"]))
                return {node.targets[0].id: ast.literal_eval(node.value) for node in tree.body}
            except (SyntaxError, ValueError, AttributeError) as error:
                raise EmbryologyError(
                    f"{template.name}: the cell tagged {PARAMETERS} may hold only lines like name = value"
                ) from error
    raise EmbryologyError(f"{template.name} has no cell tagged {PARAMETERS}")


def _checked(given: dict[str, str], template: Path) -> dict[str, Any]:
    """The values for a notebook, each of the type of its default.

    Papermill would only log an unknown parameter and go on.
    """
    known = declared_parameters(template)
    if "run" not in known:
        raise EmbryologyError(f"{template.name} has no parameter run; it has {', '.join(known)}")
    del known["run"]  # which the argument gives
    values = dict(known)
    for name, text in given.items():
        if name not in known:
            raise EmbryologyError(f"{template.name} has no parameter {name!r}; it has {', '.join(known) or 'none'}")
        values[name] = text if isinstance(known[name], str) else _parsed(text)
        if known[name] is not None and type(values[name]) is not type(known[name]):
            wanted = f"a {type(known[name]).__name__} such as {known[name]!r}"
            raise EmbryologyError(f"{template.name}: parameter {name} is {wanted}, not {text!r}")
    return values


def _parsed(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def files_of(run: str | Path) -> list[Path]:
    """The files of a run that its pages can depend on: measurements and their items, losses, manifests.

    Raises:
        EmbryologyError: the run is missing or has not been measured.
    """
    folder = RunFolder.named(run)
    measured = measurements.files_read(run)
    items = [folder.measurements / "details" / file.parent.name / file.name for file in measured]
    checkpoints = sorted(folder.checkpoints.glob(f"*/{MANIFEST}"))
    others = [*items, *checkpoints, folder.losses, folder.manifest, folder.corpus, folder.frozen]
    return measured + [file for file in others if file.is_file()]


def _studies(root: Path) -> list[list[str]]:
    """What notebooks draw beside the runs: published curves, and studies made once."""
    folders = [root / "results" / name for name in ("published", "recipes")]
    files = sorted(file for folder in folders for file in folder.glob("*") if file.is_file())
    return [[file.relative_to(root).as_posix(), sha256_of_file(file)] for file in files]


def _code_sha256() -> str:
    """Of the source of all that notebooks call."""
    folders = [Path(package.__file__).parent for package in (analysis, figures)]
    files = [file for folder in folders for file in sorted(folder.glob("*.py"))]
    files += [Path(module.__file__) for module in (measurements, losses, intervals)]
    return sha256_of([[file.name, sha256_of_file(file)] for file in files])


def _execute(page: Page) -> None:
    import nbformat  # late, like papermill: a report with nothing to do is to take no time
    import papermill

    from embryology.report.kernel import OwnKernel

    try:
        # In the caller's folder, so that the path of a run means there what it means here.
        notebook = papermill.execute_notebook(
            page.template,
            None,
            page.parameters,
            kernel_name="python3",
            language="python",
            kernel_manager_class=OwnKernel,
            record_timing=False,
            progress_bar=False,
        )
    except papermill.PapermillExecutionError as error:
        if error.ename == EmbryologyError.__name__:
            raise EmbryologyError(f"{page.label}: {error.evalue}") from error
        error.add_note(f"in {page.template}")
        raise
    _tidy(notebook)
    notebook.metadata["embryology"] = {"sha256": page.sha256}
    with written_whole(page.place) as temporary:
        temporary.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


def _tidy(notebook: Any) -> None:
    """Hide the parameters, and drop times and paths: the same inputs give the same bytes."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        tags = cell.metadata.get("tags", [])
        if INJECTED in tags:
            cell.id = INJECTED
        if {INJECTED, PARAMETERS} & set(tags) and HIDDEN not in tags:
            cell.metadata["tags"] = [*tags, HIDDEN]
