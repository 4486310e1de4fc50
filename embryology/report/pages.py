"""Which pages there are, and what each says of itself: the metadata ``embryology`` of its notebook.

The table of contents, the front page's list and what is executed for which series follow from it.
"""

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from embryology.errors import EmbryologyError, problems
from embryology.runs import measurements, properties
from embryology.runs.series import Series
from embryology.specs import registry
from embryology.specs.properties import VERSIONS
from embryology.storage.files import read_json

PARAMETERS = "parameters"
"""Papermill's tag of the cell with the parameters and their defaults."""
LOSSES = "losses"
"""What a page may need beside probes."""


class Metadata(BaseModel):
    """What a notebook says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["front", "losses", "probe", "checkpoint", "comparison", "seeds", "factors", "runs", "build", "study"]
    """Of a series: the front of its report, its losses, what a probe measured, one of its checkpoints, what it was
    made from, a comparison with others, with other seeds of its recipe, or, of presets × seeds, with all that are
    reported; of all series at hand, once; or of none: a study that was made once."""
    needs: tuple[str, ...]
    """Probes, ``losses``, or a kind of properties of items, of any probe's or of one's such as ``tokens:frequency``,
    without which there is nothing to show."""
    part: str | None
    """Caption of the part of the book that it stands in; None of the front."""
    order: int
    """Among the pages of its part."""
    about: str
    """What it shows, a clause for the front page's list."""


@dataclass(frozen=True)
class Page:
    """A notebook that is executed for a series, or once."""

    template: Path
    metadata: Metadata
    step: int | None = None
    """Of the checkpoint that it is about, where it is about one."""

    @property
    def name(self) -> str:
        return self.template.stem if self.step is None else f"{self.template.stem}-{self.step}"

    @property
    def is_study(self) -> bool:
        return self.metadata.kind == "study"

    @cached_property
    def cells(self) -> list[dict[str, Any]]:
        return list(read_json(self.template)["cells"])

    @property
    def title(self) -> str:
        """The heading that it begins with, and the checkpoint."""
        heading = "".join(self.cells[0]["source"]).splitlines()[0].lstrip("# ")
        return heading if self.step is None else f"{heading} {self.step:,}"

    def lacks(self, series: Series) -> list[str]:
        """Why there is nothing to show of a series, a clause each; empty where there is."""
        reasons = []
        for need in self.metadata.needs:
            probe, _, kind = need.partition(":")
            if kind:
                reasons.append(properties.lacking(series, probe, kind))
            elif need in VERSIONS:
                counted = properties.counted(series, need)
                why = properties.impossible(series, need) or properties.told(series, need)
                reasons.append(None if counted else why)
            elif need != LOSSES:
                reasons.append(measurements.lacking(series, need))
            elif series.losses is None:
                reasons.append("it has no losses, as it was not trained here")
        return [reason for reason in reasons if reason]

    def parameters(self) -> dict[str, Any]:
        """Its parameters and their defaults; a study has none.

        Raises:
            EmbryologyError: the cell holds anything but ``name: type = value``, where the type may be left out, or a
                page about a series has no ``run``.
        """
        declared: dict[str, Any] = {}
        for cell in self.cells:
            if PARAMETERS in cell["metadata"].get("tags", []):
                try:
                    tree = ast.parse("".join(cell["source"]))
                    declared |= dict(map(_assigned, tree.body))
                except (SyntaxError, ValueError, AttributeError) as error:
                    raise EmbryologyError(
                        f"{self.template.name}: the cell tagged {PARAMETERS} may hold only lines "
                        "like name: type = value"
                    ) from error
        if ("run" in declared) == self.is_study:
            problem = "is of no run, but has" if self.is_study else "has no"
            raise EmbryologyError(f"{self.template.name} {problem} parameter run")
        return declared


def pages(root: Path) -> list[Page]:
    """The notebooks of the project and of plug-ins, by part and order; the front first.

    Raises:
        EmbryologyError: one does not say what it is, two have one name, or there is not one front.
    """
    files = sorted((root / "notebooks").glob("*.ipynb"))
    for specification in registry.specifications().values():
        files += [page for page in specification.pages if isinstance(page, Path)]
    listed = [Page(file, _metadata(file)) for file in files]
    names = [page.name for page in listed]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise EmbryologyError(f"two pages are called {doubled[0]}; rename one of the notebooks")
    if [page.metadata.kind for page in listed].count("front") != 1:
        raise EmbryologyError(f"{root / 'notebooks'} has not exactly one notebook of the kind 'front'")
    return sorted(listed, key=lambda page: (page.metadata.kind != "front", page.metadata.order, page.name))


def _assigned(node: Any) -> tuple[str, Any]:
    """The name and the value of an assignment in Python's syntax; an attribute is missing where it is none."""
    target: Any = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    return target.id, ast.literal_eval(node.value)


def _metadata(file: Path) -> Metadata:
    try:
        return Metadata.model_validate(read_json(file)["metadata"].get("embryology"))
    except (KeyError, ValidationError) as error:
        reason = problems(error) if isinstance(error, ValidationError) else "there is no metadata"
        raise EmbryologyError(
            f"{file} does not say what kind of page it is (metadata 'embryology' with kind, needs, part, order and "
            f"about): {reason}"
        ) from error
