"""A page of every checkpoint of a run: executed notebooks, which the next report puts into its book."""

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.report import build, checkpoint_pages
from embryology.report.book import Contents
from embryology.runs.hub import groups
from embryology.runs.paths import RunFolder, project_folder
from embryology.runs.series import Series

AT_ONCE = 2


def atlas(
    run: str, steps: str = "all", console: Console | None = None, root: Path | None = None, jobs: int = AT_ONCE
) -> int:
    """Execute the page of a checkpoint at many checkpoints; those that are there and current are skipped.

    Where one cannot be made the others are.

    Args:
        run: name or path of a run, or of a folder of checkpoints, or a description.
        steps: which checkpoints, as of :meth:`embryology.runs.series.Series.select`.
        console: where progress is shown; None shows none.
        root: the project's folder; None takes the one that the package lies in.
        jobs: how many at a time.

    Returns:
        How many were executed.

    Raises:
        EmbryologyError: there is no project's folder, no such run or step, or the run was not asked; or, after all
            others were made, the list of those that could not be.
    """
    console, root = console or Console(quiet=True), root or project_folder()
    page = checkpoint_pages.template(root)
    if page is None:
        raise EmbryologyError(f"{root / 'notebooks'} has no notebook of the kind {checkpoint_pages.KIND!r}")
    every = Series.open_all(run)
    for series in every:
        if reasons := page.lacks(series):
            raise EmbryologyError(f"{series.name}: {'; '.join(reasons)}")
    chosen = [(series, replace(page, step=each.step)) for series in every for each in series.select(steps)]
    contents = Contents(every, (), [*chosen], [], {})
    places = {RunFolder.named(each.place).root: str(each.place) for each in groups.members(run)}
    executions = [
        checkpoint_pages.linked(contents, series, page, execution)
        for (series, page), execution in zip(chosen, build.executions(contents, places, {}, root), strict=True)
    ]
    stale = []
    for execution in executions:
        if execution.is_current():
            build.name_again(execution)
        else:
            stale.append(execution)
    if len(stale) < len(executions):
        console.print(
            f"{len(executions) - len(stale)} of {len(executions)} pages are there (same template, measurements, code), "
            "skipped",
            highlight=False,
        )
    failed = build.execute_all(stale, console, jobs, keep_going=True) if stale else {}
    if failed:
        listed = "; ".join(f"{label}: {reason}" for label, reason in sorted(failed.items()))
        raise EmbryologyError(f"{len(failed)} of {len(executions)} pages could not be made, the others are: {listed}")
    console.print(
        f"{len(executions)} pages in {executions[0].place.parent}; `embryology report {run}` puts them in the book",
        highlight=False,
        soft_wrap=True,
    )
    return len(stale)
