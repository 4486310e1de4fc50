"""The optional data: what is there, what stands in for what is not, and how to get it."""

import gzip
import hashlib
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from embryology.corpus.articles import bundled_file
from embryology.errors import EmbryologyError
from embryology.facts import lama, pararel
from embryology.grammar import blimp
from embryology.runs.paths import data_folder, runs_folder
from embryology.specs import registry
from embryology.specs.sources import CALLED, Source
from embryology.storage.files import written_whole
from embryology.tasks import glue, squad
from embryology.treebanks import gum, ontonotes, propbank
from embryology.treebanks.conllu_reader import EWT


@dataclass(frozen=True)
class DataSet:
    """A set that ``EMBRYOLOGY_DATA`` may hold."""

    name: str
    serves: str
    files: str
    """Glob below the data folder."""
    instead: str
    licence: str
    urls: tuple[tuple[str, str, str], ...] = ()
    """(url, path below the data folder, sha256) of what ``embryology data get`` fetches."""

    def present(self) -> list[Path]:
        folder = data_folder()
        return sorted(folder.glob(self.files)) if folder else []


RELEASE = "https://raw.githubusercontent.com/UniversalDependencies/UD_English-EWT/r2.16/"
SETS = (
    DataSet(
        name="wikipedia",
        serves="text to pretrain `baby` and larger models",
        files="wikipedia/*.parquet",
        instead="10,033 bundled lead paragraphs; or the corpus path `hub`, which streams Wikipedia",
        licence="CC BY-SA",
    ),
    DataSet(
        name="ewt",
        serves="gold Penn tags for the tokens probe",
        files=f"{EWT}/en_ewt-ud-*.conllu*",
        instead="silver tags by spaCy on held-out bundled articles",
        licence="CC BY-SA 4.0 (annotation)",
        urls=tuple(
            (f"{RELEASE}en_ewt-ud-{split}.conllu", f"{EWT}/en_ewt-ud-{split}.conllu.gz", sha256)
            for split, sha256 in (
                ("train", "3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b"),
                ("dev", "531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6"),
                ("test", "e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd"),
            )
        ),
    ),
    DataSet(
        name="propbank",
        serves="gold constituents and semantic roles on the sentences of ewt",
        files=f"{propbank.PLACE}/**/*.gold_skel*",
        instead="nothing",
        licence="CC BY-SA 4.0",
    ),
    DataSet(
        name="gum",
        serves="gold tags, dependencies, entities and coreference; GENTLE, out of domain",
        files=f"{gum.PLACE}/**/*.conll*",
        instead="silver tags, dependencies and entities by spaCy on held-out bundled articles",
        licence="CC BY 4.0 (annotation)",
    ),
    DataSet(
        name="ontonotes",
        serves="the data of the paper's edge probing",
        files=f"{ontonotes.PLACE}/**/*gold_conll*",
        instead="propbank and gum",
        licence="LDC user agreement",
    ),
    DataSet(
        name="lama",
        serves="facts and their templates: T-REx, Google-RE, SQuAD",
        files=f"{lama.PLACE}/**/*.jsonl*",
        instead="facts from the bundled articles' short descriptions",
        licence="CC BY-NC 4.0",
    ),
    DataSet(
        name="pararel",
        serves="LAMA's facts with several templates that say the same",
        files=f"{pararel.PLACE}/**/*.jsonl*",
        instead="three templates a relation of the bundled facts",
        licence="MIT; facts CC BY-NC 4.0",
    ),
    DataSet(
        name="blimp",
        serves="minimal pairs: 67 paradigms of grammar",
        files=f"{blimp.PLACE}/data/*.jsonl*",
        instead="pairs that rules make of held-out bundled sentences",
        licence="CC BY 4.0",
    ),
    DataSet(
        name="glue",
        serves="sentence tasks to fine-tune every checkpoint on",
        files=f"{glue.PLACE}/*/*.tsv*",
        instead="the topic of a bundled article",
        licence="by task; most for research",
    ),
    DataSet(
        name="squad",
        serves="questions on paragraphs, answerable and not",
        files=f"{squad.FOLDER}/*.json*",
        instead="nothing",
        licence="CC BY-SA 4.0",
    ),
)


def get(name: str) -> list[Path]:
    """Fetch a set into ``EMBRYOLOGY_DATA``, each file held against its hash. What is there is left alone.

    Returns:
        The files written.

    Raises:
        EmbryologyError: an unknown set, one that has to be fetched by hand, no data folder, no network,
            or other bytes than the hash promises.
    """
    data_set = next((data_set for data_set in SETS if data_set.name == name), None)
    if data_set is None:
        names = ", ".join(data_set.name for data_set in SETS)
        raise EmbryologyError(f"there is no data set {name!r}; choose one of {names}")
    if not data_set.urls:
        files = data_set.files
        raise EmbryologyError(f"{name} is not fetched by this command; put it under EMBRYOLOGY_DATA as {files}")
    folder = data_folder()
    if folder is None:
        raise EmbryologyError("set EMBRYOLOGY_DATA to the folder that should hold the data, then try again")
    written = []
    for url, place, sha256 in data_set.urls:
        file = folder / place
        if file.exists():
            continue
        try:
            with urllib.request.urlopen(url, timeout=60) as response:
                content = response.read()
        except OSError as error:
            raise EmbryologyError(f"{url} cannot be fetched ({error}); fetch it by hand to {file}") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise EmbryologyError(f"{url} gave other bytes than expected (sha256 differs); nothing was written")
        with written_whole(file) as temporary:
            temporary.write_bytes(gzip.compress(content, mtime=0))
        written.append(file)
    return written


def table() -> Table:
    """The catalogue as a terminal shows it."""
    catalogue = Table("name", "serves", "there", "used instead", "licence")
    for data_set in SETS:
        files = data_set.present()
        there = f"yes, {len(files)} files" if files else "no"
        catalogue.add_row(data_set.name, data_set.serves, there, data_set.instead, data_set.licence)
    for source, _ in registry.of_plugins():
        catalogue.add_row(source.name, f"{CALLED[source.kind]} of a plug-in", _is_there(source), "nothing", "not said")
    return catalogue


def _is_there(source: Source) -> str:
    if source.takes or source.kind == "corpus":
        return "where its path is"
    try:
        return f"yes, {len(source.find(source.name, source.parts[0]).files)} files"
    except EmbryologyError:
        return "no"


def places() -> list[tuple[str, str]]:
    """What is read and written, and where that is now."""
    folder = data_folder()
    return [
        ("runs (EMBRYOLOGY_RUNS)", str(runs_folder())),
        ("optional data (EMBRYOLOGY_DATA)", str(folder) if folder else "not set"),
        ("bundled articles", str(bundled_file())),
    ]
