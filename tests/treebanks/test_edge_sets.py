import pytest

from embryology.corpus import articles
from embryology.errors import EmbryologyError
from embryology.treebanks import TASKS, edge_sets, silver
from tests.treebank_files import assert_sound, conllu, gold_conll, gum_layer, skeletons


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with small sets, and a function that writes into it."""
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path))

    def write(place, text):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text, encoding="utf-8")

    write("treebanks/UD_English-EWT/en_ewt-ud-test.conllu", conllu("answers-x", "Cats/NNS sleep/VBP"))
    rows = "NNS (TOP(S* - - (ARG0*)\nVBP *)) sleep sleep.01 (V*)"
    write(f"{edge_sets.PROPBANK}/answers.gold_skel", skeletons("google/ewt/answers/00/x.xml", rows))
    for stem in ("train", "test2"):
        write(f"{edge_sets.GUM}/dep/{stem}.conllu", conllu("GUM_x", "Cats/NNS sleep/VBP"))
        write(f"{edge_sets.GUM}/coref/gum/conll/{stem}.conll", gum_layer("GUM_x", "Cats (animal-1)", "sleep _"))
        write(f"{edge_sets.GUM}/coref/ontogum/conll/{stem}.conll", gum_layer("GUM_x", "Cats (1)", "sleep (1)"))
    rows = "Cats NNS (TOP(S* - - (PRODUCT*) (ARG0*) (1)\nsleep VBP *)) sleep - * (V*) (1)"
    write(f"{edge_sets.ONTONOTES}/data/test/x.v4_gold_conll", gold_conll("bc/x", rows))
    return write


@pytest.mark.parametrize(
    ("name", "split", "tasks"),
    [
        ("ewt", "test", "pos dependency"),
        ("ewt-propbank", "test", "pos constituent role"),
        ("gum", "train", "pos dependency entity coreference"),
        ("gentle", "test", "pos dependency entity coreference"),
        ("ontonotes", "test", "pos constituent entity coreference role"),
    ],
)
def test_sets_are_found_read_and_known_by_their_files(data, tmp_path, name, split, tasks):
    edge_set = edge_sets.find(name, split)
    assert edge_set.tasks == tuple(tasks.split())
    reading = edge_set.read()
    assert_sound(reading)
    assert set(reading.edges()) == set(edge_set.tasks) <= set(TASKS)
    before = edge_set.identity()
    for file in tmp_path.rglob("*.*"):
        if file.is_file():
            file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert edge_sets.find(name, split).identity() != before


def test_what_is_not_there_is_said(data, tmp_path, monkeypatch):
    for name, split, message in (
        ("ewt", "dev", r"embryology data get ewt"),
        ("gum", "test", r"'gum' is not there: set EMBRYOLOGY_DATA to .* treebanks/gum/dep/test\.conllu"),
        ("gentle", "train", "has no split 'train'; choose one of test"),
        ("ontonotes", "dev", r"\*gold_conll files in a folder 'development'"),
        ("conll", "test", "there is no edge set 'conll'; choose ewt, ewt-propbank, gum"),
        ("verbs:x", "test", "'verbs:x' names no task before the colon; choose one of pos, constituent"),
        (f"role:{tmp_path}/no", "test", "is no folder; give one that holds test.jsonl, or a path with {split} in it"),
        (f"role:{tmp_path}", "dev", "dev.jsonl or .*dev.json or .*development.json is missing"),
    ):
        with pytest.raises(EmbryologyError, match=message):
            edge_sets.find(name, split)
    monkeypatch.delenv("EMBRYOLOGY_DATA")
    for name in ("ewt", "ewt-propbank", "gum", "ontonotes"):
        with pytest.raises(EmbryologyError, match="is not there: set EMBRYOLOGY_DATA"):
            edge_sets.find(name)


def test_json_lines_are_named_by_task_and_path(data, tmp_path):
    line = '{"text": "Cats sleep", "targets": [{"span1": [0, 1], "label": "NNS"}]}'
    data("pos/development.json", line)
    data("pos/pos-test.jsonl", line)
    for name, split in ((f"pos:{tmp_path}/pos", "dev"), (f"pos:{tmp_path}/pos/pos-{{split}}.jsonl", "test")):
        edge_set = edge_sets.find(name, split)
        assert edge_set.read().edges() == {"pos": 1}
        assert edge_set.identity().keys() == {"files"}


def test_a_task_without_edges_is_an_error(data):
    data("treebanks/UD_English-EWT/en_ewt-ud-test.conllu", conllu("answers-x", "Cats/NNS"))
    with pytest.raises(EmbryologyError, match=r"the set 'ewt' 'test' holds no edges of the task 'dependency'$"):
        edge_sets.find("ewt").read()
    with pytest.raises(EmbryologyError, match=r"no edges of the task 'pos' \(1 sentences were skipped\)"):
        edge_sets.find("ewt-propbank").read()
    data("treebanks/UD_English-EWT/en_ewt-ud-test.conllu", "")
    with pytest.raises(EmbryologyError, match=r"no edges of the task 'pos'$"):
        edge_sets.find("ewt").read()


def test_silver_edges_are_of_a_part_of_the_held_out_articles(monkeypatch):
    held_out = [a for a in articles.articles("bundled") if articles.is_held_out(a.title)][:12]
    monkeypatch.setattr(articles, "articles", lambda source: iter(held_out))
    tags = {sentence.id: sentence for sentence in silver.read()}
    seen = set()
    for split in ("train", "dev", "test"):
        reading = silver.read_edges(split)
        assert_sound(reading)
        for sentence in reading.sentences:
            assert sentence.words == tags[sentence.id].words
            assert not sentence.edges == tags[sentence.id].edges == ()
            seen.add(sentence.id)
    assert seen == set(tags)
    edge_set = edge_sets.find("silver", "train")
    assert set(edge_set.read().edges()) == {"pos", "dependency", "entity"}
    assert edge_set.identity()["split"] == "train"
