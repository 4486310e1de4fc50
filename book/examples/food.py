"""Facts of one's own: what eats what, from files with a subject and an object a line, a tab between them."""

from functools import partial
from pathlib import Path

from embryology.errors import EmbryologyError
from embryology.facts import Fact, Reading, Relation, id_of_names
from embryology.specs.sources import Data, Source

FOLDER = Path(__file__).with_name("food")
TEMPLATES = ("[X] eats [Y].", "[X] feeds on [Y].")


def read(files, skip_bad):
    """The facts of all files as one relation, with two templates that say the same."""
    facts = []
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            subject, tab, object = line.partition("\t")
            if not tab:
                raise EmbryologyError(f"{file}, line {number}: no tab between subject and object; fix it")
            facts.append(Fact(id_of_names(subject, object), subject, object))
    return Reading([Relation("eats", "what eats what", "N-1", TEMPLATES, tuple(facts))])


def find(name, part):
    files = sorted(FOLDER.rglob("*.tsv"))
    if not files:
        raise EmbryologyError(f"the facts {name!r} need .tsv files in {FOLDER}")
    return Data(name, "what eats what", tuple(files), identity=dict, reader=partial(read, files))


SOURCES = (Source("facts", "food", find, known={"": {"facts": 2}}),)
