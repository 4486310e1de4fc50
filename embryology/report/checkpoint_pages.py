"""Pages of single checkpoints: which a book has, and how they are linked.

A book has some of each series that is reported, spread over its training, and those that ``embryology atlas`` made,
as long as they are what would be made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embryology.report.book import Contents, executed_page
from embryology.report.pages import Page, pages
from embryology.runs import measurements
from embryology.runs.series import Series

if TYPE_CHECKING:
    from embryology.report.build import Execution

KIND, FRONT = "checkpoint", "atlas"
"""The kind of these pages, and the name of the page that shows all checkpoints."""
MOST = 8
"""Of a series, if nobody asked for more."""


def template(root: Path) -> Page | None:
    """The page of a checkpoint, yet of none; None where the project has no such page."""
    return next((page for page in pages(root) if page.metadata.kind == KIND), None)


def spread(steps: Sequence[int], most: int = MOST) -> list[int]:
    """At most so many of rising steps, evenly by their logarithm: the last, 0, the first one after it, and others.

    Args:
        steps: of checkpoints.
        most: two or more.
    """
    if len(steps) <= most:
        return list(steps)
    chosen = [step for step in steps if step <= 0]
    later = [step for step in steps if step > 0]
    for target in np.geomspace(later[-1], later[0], most - len(chosen)):
        left = [step for step in later if step not in chosen]
        chosen.append(min(left, key=lambda step: abs(np.log(step / target))))
    return sorted(chosen)


def wanted(contents: Contents, steps: str, root: Path) -> list[tuple[Series | None, Page]]:
    """The pages of single checkpoints that a book may have; of those that are executed some may be of other inputs.

    Args:
        contents: of the book.
        steps: among which checkpoints, as of :meth:`embryology.runs.series.Series.select`.
        root: the project's folder.
    """
    page = template(root)
    listed: list[tuple[Series | None, Page]] = []
    for series in contents.series if page else ():
        assert page is not None  # as the loop says
        if not page.lacks(series):
            there = [
                each.step
                for each in series.checkpoints
                if executed_page(root, series, replace(page, step=each.step)).is_file()
            ]
            own = sorted({*_few(series, page, steps), *there})
            listed += [(series, replace(page, step=step)) for step in own]
    return listed


def _few(series: Series, page: Page, steps: str) -> list[int]:
    """Of the checkpoints that were measured, those that more probes measured, if they are enough."""
    chosen = {checkpoint.step for checkpoint in series.select(steps)}
    frame = measurements.read(series)
    asked = frame[frame["probe"].isin(page.metadata.needs) & frame["step"].isin(chosen)]["step"].unique()
    probes = frame[frame["step"].isin(asked)].groupby("step")["probe"].nunique()
    most = probes.index[probes >= probes.median()]
    return spread(sorted(map(int, most if len(most) >= MOST else asked)))


def settled(contents: Contents, executions: Iterable[Execution], steps: str) -> list[Execution]:
    """The executions of a book, with links; pages of checkpoints that nobody asks for, and that are not what would be
    made again, are taken out of it.

    Args:
        contents: of the book; its pages are put in their order.
        executions: of its pages, in that order.
        steps: as of :func:`wanted`.
    """
    few: dict[Path, list[int]] = {}

    def stays(series: Series | None, page: Page, execution: Execution) -> bool:
        if series is None or page.step is None:
            return True
        if series.folder.root not in few:
            few[series.folder.root] = _few(series, page, steps)
        return page.step in few[series.folder.root] or execution.is_current()

    kept = [
        (series, page, execution)
        for (series, page), execution in zip(contents.chosen, executions, strict=True)
        if stays(series, page, execution)
    ]
    contents.chosen[:] = [(series, page) for series, page, _ in kept]
    return [linked(contents, series, page, execution) for series, page, execution in kept]


def ordered(chosen: list[tuple[Series | None, Page]]) -> None:
    """Put pages in their order: that of their templates, then of steps."""

    def place(page: Page) -> tuple[bool, int, str, int]:
        return page.metadata.kind != "front", page.metadata.order, page.template.stem, page.step or 0

    chosen.sort(key=lambda each: place(each[1]))


def linked(contents: Contents, series: Series | None, page: Page, execution: Execution) -> Execution:
    """With links to the checkpoints before and after, or on the page of all of them to each; others as they are."""
    steps = [each.step for each in contents.of(series) if each.step is not None] if series else []
    if not steps or (page.step is None and page.name != FRONT):
        return execution
    stem = next(each.template.stem for each in contents.of(series) if each.step is not None)
    names = {step: f"{stem}-{step}.ipynb" for step in steps}
    if page.step is None:
        links = [f"[{step:,}]({name})" for step, name in names.items()]
        return replace(execution, list=f"Checkpoints with a page of their own: {', '.join(links)}.")
    at = steps.index(page.step)
    links = [f"[← checkpoint {step:,}]({names[step]})" for step in steps[max(at - 1, 0) : at]]
    if any(each.name == FRONT for each in contents.of(series)):
        links.append(f"[all checkpoints]({FRONT}.ipynb)")
    links += [f"[checkpoint {step:,} →]({names[step]})" for step in steps[at + 1 : at + 2]]
    return replace(execution, list=" · ".join(links) or None)
