"""Test sets by name, as texts."""

import json

import pytest

from embryology.errors import EmbryologyError
from embryology.tasks import texts
from embryology.treebanks import conllu_reader
from tests.treebank_files import conllu


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder with EWT's test split, RTE and SQuAD's development set."""
    ewt = tmp_path / conllu_reader.EWT / "en_ewt-ud-test.conllu"
    rte = tmp_path / "downstream/glue/RTE"
    squad = tmp_path / "downstream/squad/dev-v2.0.json"
    for folder in (ewt.parent, rte, squad.parent):
        folder.mkdir(parents=True)
    ewt.with_name("en_ewt-ud-dev.conllu").write_text(conllu("d", "No/DT test/NN"))
    ewt.write_text(conllu("d", "The/DT cat/NN sleeps/VBZ", "Dogs/NNS bark/VBP"))
    header = "index\tsentence1\tsentence2\tlabel\n"
    (rte / "train.tsv").write_text(header + "0\tTo learn from.\tAlso.\tentailment\n")
    (rte / "dev.tsv").write_text(header + "0\tIt rains.\tIt is wet.\tentailment\n1\tIt rains.\tNo.\tentailment\n")
    asked = [{"id": str(n), "question": f"Who {n}?", "is_impossible": True, "answers": []} for n in range(2)]
    paragraphs = [{"context": "A paragraph.", "qas": asked}]
    squad.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path))
    return tmp_path


EVERY = {
    "ewt": ["The cat sleeps", "Dogs bark"],
    "rte": ["It rains.", "It is wet.", "No."],
    "squad": ["A paragraph.", "Who 0?", "Who 1?"],
}


def test_a_set_is_what_models_are_scored_on_each_text_once(data):
    assert texts.read(["squad", "RTE"]) == {name: EVERY[name] for name in ("squad", "rte")}
    assert texts.read(["auto"]) == EVERY
    assert texts.read([]) == {}


def test_a_path_is_plain_text(data):
    file = data / "mine.txt"
    file.write_text("One text.\n\nAnother one.\n")
    assert texts.read([str(file), "ewt"]) == {str(file): ["One text.", "Another one."], "ewt": EVERY["ewt"]}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sqad", r"no test set 'sqad' to leave out; choose auto, ewt, .*squad, or a path"),
        ("gum", r"the edge set 'gum' is not there"),
        ("cola", r"the task 'CoLA' needs"),
        ("gone.txt", r"there is no text at gone.txt"),
    ],
)
def test_a_set_that_is_unknown_or_not_there_is_refused_in_one_line(data, name, message):
    with pytest.raises(EmbryologyError, match=message) as caught:
        texts.read(["ewt", name])
    assert "\n" not in str(caught.value)


def test_auto_without_any_set_is_refused(monkeypatch):
    monkeypatch.delenv("EMBRYOLOGY_DATA", raising=False)
    with pytest.raises(EmbryologyError, match="leave_out auto finds no test set: set EMBRYOLOGY_DATA"):
        texts.read(["auto"])
