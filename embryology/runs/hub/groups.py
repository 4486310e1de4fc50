"""Several seeds of one description: a series each.

The folder of such a description holds ``seeds.json``, which says what it was resolved to, so that it is the same seeds
from then on. What is measured of a seed lies in the folder of its own description; of a ``series.yaml`` that somebody
wrote, in a folder beside that, which has what it says of the series.
"""

from dataclasses import dataclass
from pathlib import Path

from embryology.errors import EmbryologyError
from embryology.runs import steps
from embryology.runs.hub import revisions
from embryology.runs.hub.descriptions import Description
from embryology.runs.paths import HUB, RunFolder
from embryology.storage.files import read_json, write_json

RECORD = "seeds.json"


@dataclass(frozen=True)
class Member:
    """A series that a place names."""

    place: str | Path
    """Its own."""
    recipe: str | None = None
    """Of one of several seeds: their description,"""
    seed: int | None = None
    """and which it is."""


def members(place: str | Path) -> list[Member]:
    """The series that a place names: of a description of several seeds one a seed, else itself.

    Raises:
        EmbryologyError: there are no seeds, the Hub cannot be asked, or a record is damaged.
    """
    folder = RunFolder.named(place)
    source = str(place) if str(place).startswith(HUB) else steps.read(folder.root).source
    if source is None or not (description := Description.parse(source)).has_seeds:
        return [Member(place)]
    file = folder.root / RECORD
    record = steps.joined(folder.root, source=source)
    if not file.exists():
        of_seeds = [description.of_seed(seed) for seed in revisions.seeds(description)]
        if steps.read(folder.root).source is None:
            names = [each.text for each in of_seeds]
        else:
            names = [RunFolder.named(each.text).name for each in of_seeds]
            for each, name in zip(of_seeds, names, strict=True):
                steps.keep(folder.root / name, record.model_copy(update={"source": each.text}))
        write_json(file, {"source": source, "members": names})
        steps.keep(folder.root, record)
    recorded = read_json(file)
    if not isinstance(recorded, dict) or recorded.get("source") != source or not recorded.get("members"):
        raise EmbryologyError(f"{file} is damaged, or of another description; remove it to look for the seeds anew")
    found = []
    for name in recorded["members"]:
        its = name if name.startswith(HUB) else steps.read(folder.root / name).source or ""
        seed = description.seed_of(its)
        if seed is None:
            raise EmbryologyError(f"{file} is damaged ({name} is no seed of {source}); remove it to look for them anew")
        found.append(Member(name if name.startswith(HUB) else folder.root / name, source, seed))
    return found
