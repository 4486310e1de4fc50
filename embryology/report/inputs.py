"""What an executed page is made of, so that it is made again where that has changed, and only there."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embryology.report.pages import Page
from embryology.runs import measurements
from embryology.runs.audit import result
from embryology.runs.checkpoints import RECORD
from embryology.runs.paths import STUDIES, RunFolder
from embryology.runs.reads import ALL
from embryology.runs.series import Series
from embryology.specs import registry
from embryology.specs.imports import PACKAGE, imported, names
from embryology.storage.files import sha256_of_file

COLAB = "colab"
"""The tag of the cell that Google Colab needs, and that does nothing elsewhere."""


@dataclass(frozen=True)
class Files:
    """What a page can read of a series, as hashes."""

    run: Path
    measured: Mapping[str, Sequence[tuple[str, str]]]
    """By probe the files of its measurements that count."""
    standing: Mapping[str, str]
    """By probe under which configuration they do."""
    records: Sequence[tuple[str, str]]
    """Which configurations count, as it is recorded: of every probe."""
    others: Sequence[tuple[str, str]]
    """Losses, manifest, records of checkpoints, the audit."""

    def read(self, probes: Collection[str]) -> list[Any]:
        """What a page depends on that reads these probes; one that is not there is told from one that is."""
        if ALL in probes:
            return [self.others, self.records, sorted(self.measured.items())]
        return [self.others, [[each, self.standing.get(each), self.measured.get(each)] for each in sorted(probes)]]


def files_of(series: Series) -> Files:
    """The files of a series that its pages can depend on: measurements and their items, losses, records, its audit.

    Raises:
        EmbryologyError: it has not been measured.
    """
    folder = series.folder
    records = sorted(folder.checkpoints.glob(f"*/{RECORD}"))
    others = [*records, folder.losses, folder.manifest, folder.corpus, folder.frozen, folder.audit]
    said = set(measurements.standing_files(folder))
    measured = defaultdict[str, list[Path]](list)
    for file in measurements.files(series):
        if file not in said:
            measured[file.relative_to(folder.measurements).parts[0]].append(file)
    return Files(
        folder.root.resolve(),
        {probe: _hashes(folder.root, files) for probe, files in measured.items()},
        {probe: each.sha256 for probe, each in measurements.standing(folder).items()},
        _hashes(folder.root, sorted(said)),
        [*_hashes(folder.root, (file for file in others if file.is_file())), *_audited(folder)],
    )


def _audited(folder: RunFolder) -> list[tuple[str, str]]:
    """Of a series that was audited, why the audit does not hold any more; its files may have changed since."""
    kept = result.kept(folder) if folder.audit.exists() else None
    return [(folder.audit.name, kept)] if isinstance(kept, str) else []


def studies() -> list[tuple[str, str]]:
    """What notebooks draw beside the series: published curves, and studies made once."""
    return _hashes(STUDIES, sorted(file for file in STUDIES.rglob("*") if file.is_file()))


def code(page: Page) -> list[str]:
    """Of all that it imports, and of the files that specify what it shows."""
    specified = [registry.file_of(need.partition(":")[0]) for need in page.metadata.needs]
    return [*map(sha256_of_file, imported(page.cells)), *(plugin.sha256 for plugin in specified if plugin)]


def _hashes(root: Path, files: Iterable[Path]) -> list[tuple[str, str]]:
    return [(file.relative_to(root).as_posix(), sha256_of_file(file)) for file in files]


def reads(page: Page, files: Sequence[Files], found: Mapping[Path, Collection[str]]) -> list[list[str]] | None:
    """Which probes' measurements a page read.

    Args:
        page: that was executed.
        files: of the series that it is about.
        found: of :func:`embryology.runs.reads.noted`.

    Returns:
        Probes by series; None where its cells import more than this package, and may read files by themselves.
    """
    own = (cell for cell in page.cells if cell["cell_type"] == "code" and COLAB not in cell["metadata"].get("tags", []))
    imports = (name for cell in own for name in names("".join(cell["source"])))
    if any(name.partition(".")[0] != PACKAGE.name for name in imports):
        return None
    return [sorted(found.get(of.run, ())) for of in files]
