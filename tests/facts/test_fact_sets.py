"""Readers of facts: what a line must hold, and what becomes of one that does not."""

import gzip
import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embryology.corpus.articles import is_held_out
from embryology.errors import EmbryologyError
from embryology.facts import bundled, fact_sets, lama, pararel, template_problem
from embryology.runs.paths import data_folder

COVERS = (
    "embryology/facts/bundled.py",
    "embryology/facts/lama.py",
    "embryology/facts/pararel.py",
    "embryology/facts/records.py",
)
RELATIONS = [
    {"relation": "P17", "template": "[X] is located in [Y] .", "label": "country", "type": "N-1"},
    {"relation": "P36", "template": "The capital of [X] is [Y] .", "label": "capital", "type": "1-1"},
    {"relation": "P166", "template": "[X] won [Y] .", "label": "award", "type": "N-M"},
]
FACT = {"sub_label": "Eibenstock", "obj_label": "Germany", "sub_uri": "Q57881", "obj_uri": "Q183", "uuid": None}


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "relations.jsonl", RELATIONS)
    write(tmp_path / "TREx" / "P17.jsonl.gz", [FACT, FACT | {"sub_uri": "Q1", "sub_label": "Ulm"}, "\n", FACT])
    write(tmp_path / "TREx" / "P36.jsonl", [FACT | {"sub_label": "France", "obj_label": "Paris"}])
    return tmp_path


def test_trex_is_read_in_its_original_layout(folder):
    reading = lama.trex(folder)
    country, capital = reading.relations
    assert (country.name, country.kind, country.templates) == ("P17", "N-1", ("[X] is located in [Y] .",))
    assert [(fact.id, fact.subject) for fact in country.facts] == [("Q57881-Q183", "Eibenstock"), ("Q1-Q183", "Ulm")]
    assert capital.facts[0].object == "Paris"
    assert reading.left_out == {"relation without a file of facts": 1, "fact that comes twice": 1}


@pytest.mark.parametrize(
    ("file", "lines", "message"),
    [
        ("TREx/P17.jsonl.gz", [FACT, "{broken\n"], r"P17\.jsonl\.gz, line 2: Invalid JSON"),
        ("TREx/P17.jsonl.gz", [{"sub_label": "x"}], r"P17\.jsonl\.gz, line 1: obj_label: Field required"),
        ("TREx/P17.jsonl.gz", [FACT | {"sub_label": ""}], r"line 1: sub_label: String should have at least 1"),
        ("TREx/P17.jsonl.gz", [FACT | {"obj_label": 7}], r"line 1: obj_label: Input should be a valid string"),
        ("TREx/P36.jsonl", [], r"P36\.jsonl holds no facts"),
        (
            "relations.jsonl",
            [RELATIONS[0] | {"template": "in [Y]"}],
            r"relations\.jsonl, line 1: .* has 0 places \[X\]",
        ),
        ("relations.jsonl", [RELATIONS[0] | {"template": "[X] [Y] [Y]"}], r"has 2 places \[Y\] for the object"),
        ("relations.jsonl", [RELATIONS[0] | {"type": "N-N"}], r"line 1: type: Input should be '1-1'"),
        ("relations.jsonl", [RELATIONS[2]], r"TREx holds no facts of any relation"),
    ],
)
def test_what_is_malformed_is_said_with_file_and_line(folder, file, lines, message):
    write(folder / file, lines)
    with pytest.raises(EmbryologyError, match=message):
        lama.trex(folder)


def test_another_encoding_is_said(folder):
    (folder / "TREx" / "P36.jsonl").write_bytes(json.dumps(FACT).encode() + b"\n" + b'{"sub_label": "Caf\xe9"}')
    with pytest.raises(EmbryologyError, match=r"P36\.jsonl cannot be read at line 2, which is not UTF-8"):
        lama.trex(folder)


def test_bad_lines_are_counted_where_that_is_asked_for(folder):
    write(folder / "TREx" / "P17.jsonl.gz", [FACT, "{broken\n", {"sub_label": "x"}])
    reading = lama.trex(folder, skip_bad=True)
    assert reading.facts() == 2
    assert reading.skipped == {"malformed line": 2}


@given(st.lists(st.binary(max_size=60), max_size=5))
@settings(max_examples=200)
def test_only_our_own_error_comes_out_of_any_bytes(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("lama")
    write(folder / "relations.jsonl", RELATIONS[:1])
    (folder / "TREx").mkdir()
    (folder / "TREx" / "P17.jsonl").write_bytes(b"\n".join([json.dumps(FACT).encode(), *lines]))
    try:
        facts = lama.trex(folder).facts()
    except EmbryologyError:
        return
    assert facts >= 1


def test_google_re_and_clozes_are_read(tmp_path):
    for name in lama.GOOGLE_RE:
        given = {"sub": "/m/1", "sub_label": "Ada", "obj_label": "London"}
        write(tmp_path / "Google_RE" / f"{name}_test.jsonl", [given, given])
    reading = lama.google_re(tmp_path)
    assert [relation.name for relation in reading.relations] == list(lama.GOOGLE_RE)
    assert reading.left_out == {"fact that comes twice": 3}
    sentences = ["no mask", "It was [MASK] then."]
    write(tmp_path / "Squad" / "test.jsonl", [{"id": "a", "obj_label": "gold", "masked_sentences": sentences}])
    (clozes,) = lama.squad(tmp_path).relations
    assert [(fact.sentence, fact.object) for fact in clozes.facts] == [("It was [Y] then.", "gold")]
    write(tmp_path / "Squad" / "test.jsonl", [{"id": "a", "obj_label": "gold", "masked_sentences": ["none"]}])
    with pytest.raises(EmbryologyError, match=r"test\.jsonl holds no sentence with exactly one \[MASK\]"):
        lama.squad(tmp_path)


def test_pararel_has_several_templates(tmp_path):
    triples = [{"sub_label": "Ulm", "obj_label": "Germany"}]
    write(tmp_path / "trex_lms_vocab" / "P17.jsonl.gz", triples * 2)
    write(tmp_path / "trex_lms_vocab" / "P31.jsonl", triples)
    patterns = ["[X] is located in [Y].", "[Y] is where [X] is"]
    write(tmp_path / "graphs_json" / "P17.jsonl", [{"pattern": pattern, "lemma": "x"} for pattern in patterns])
    reading = pararel.read(tmp_path)
    assert [relation.templates for relation in reading.relations] == [tuple(patterns)]
    assert not re.search("Ulm|Germany", reading.relations[0].facts[0].id)  # measurements hold ids, and may be kept
    assert reading.left_out == {"triple of a relation without templates": 1, "fact that comes twice": 1}


def test_another_template_of_the_bundled_facts_is_other_data(monkeypatch):
    before = fact_sets.find("bundled").identity()
    assert fact_sets.find("bundled").identity() == before
    first, *others = bundled.RULES
    reworded = replace(first, templates=(*first.templates[:-1], "[Y] has [X] as its capital."))
    monkeypatch.setattr(bundled, "RULES", (reworded, *others))
    assert fact_sets.find("bundled").identity() != before


def test_files_of_one_name_in_two_folders_are_both_part_of_the_identity(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path))
    folder = tmp_path / fact_sets.PARAREL
    files = [folder / place / "P17.jsonl" for place in ("graphs_json", "trex_lms_vocab")]
    identities = []
    for contents in (("a", "b"), ("a", "c"), ("d", "b"), ("b", "a")):
        for file, text in zip(files, contents, strict=True):
            write(file, [text])
        identities.append(fact_sets.find("pararel").identity())
    assert all(identity.keys() == {"graphs_json/P17.jsonl", "trex_lms_vocab/P17.jsonl"} for identity in identities)
    assert len({json.dumps(identity) for identity in identities}) == 4


@pytest.mark.parametrize(
    ("template", "fine"), [("[Y] lies in [X]", True), ("[X]'s capital is [Y].", True), ("[X] is", False), ("", False)]
)
def test_a_template_has_one_place_for_each(template, fine):
    assert (template_problem(template) is None) == fine


@pytest.fixture(scope="module")
def vital():
    return bundled.read()


def test_descriptions_give_facts_enough(vital):
    assert len(vital.relations) >= 5
    assert all(len(relation.facts) >= 50 for relation in vital.relations)
    assert vital.facts() >= 800
    for relation in vital.relations:
        assert len({fact.id for fact in relation.facts}) == len(relation.facts)
        assert len(relation.templates) == 3
        assert not any(map(template_problem, relation.templates))
    held_out = bundled.held_out([fact for relation in vital.relations for fact in relation.facts])
    assert 0.03 < sum(held_out) / len(held_out) < 0.08  # of 5% of the articles


@pytest.mark.parametrize(
    ("relation", "subject", "object"),
    [
        ("capital", "Addis Ababa", "Ethiopia"),
        ("capital", "Abuja", "Nigeria"),
        ("country", "Timbuktu", "Mali"),
        ("continent", "Malawi", "Africa"),
        ("nationality", "Thomas Edison", "American"),
        ("occupation", "Thomas Edison", "inventor"),
        ("occupation", "Peter Gustav Lejeune Dirichlet", "mathematician"),
        ("maker", "Anna Karenina", "Tolstoy"),
        ("maker", "The Starry Night", "van Gogh"),
        ("kind", "Velociraptor", "reptile"),
    ],
)
def test_rules_give_what_a_reader_would(vital, relation, subject, object):
    facts = next(rule.facts for rule in vital.relations if rule.name == relation)
    of_subject = [fact for fact in facts if fact.subject == subject]
    assert [fact.object for fact in of_subject] == [object]
    assert bundled.held_out(of_subject) == [is_held_out(of_subject[0].article)]


@pytest.mark.parametrize(
    ("relation", "subject"),
    [
        ("capital", "Bandung"),  # of West Java
        ("capital", "Guatemala City"),  # which names Guatemala
        ("country", "Amsterdam"),  # a capital
        ("nationality", "Idi Amin"),  # "President of Uganda"
        ("nationality", "Silver"),  # "Chemical element with atomic number 47 (Ag)"
        ("nationality", "Batu Khan"),  # "Founder of the Golden Horde (…)"
        ("kind", "Tomato"),  # "Edible berry"
    ],
)
def test_rules_leave_out_what_has_another_form(vital, relation, subject):
    facts = next(rule.facts for rule in vital.relations if rule.name == relation)
    assert subject not in {fact.subject for fact in facts}


def test_unknown_and_missing_sets_are_said(monkeypatch):
    monkeypatch.delenv("EMBRYOLOGY_DATA", raising=False)
    with pytest.raises(EmbryologyError, match="there is no set of facts 'x'; choose trex, google-re"):
        fact_sets.find("x")
    with pytest.raises(EmbryologyError, match=r"the facts 'trex' need knowledge/LAMA/relations\.jsonl"):
        fact_sets.find("trex")


@pytest.mark.skipif(data_folder() is None, reason="EMBRYOLOGY_DATA is not set")
@pytest.mark.parametrize("name", fact_sets.KNOWN)
def test_known_counts_hold(name):
    ours = fact_sets.counted(fact_sets.find(name).read())
    assert {what: ours[what] for what in fact_sets.KNOWN[name]} == fact_sets.KNOWN[name]
