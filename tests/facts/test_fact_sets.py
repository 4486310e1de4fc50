"""Readers of facts: what a line must hold, and what becomes of one that does not."""

import gzip
import io
import json
import os
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from embryology.corpus import articles
from embryology.errors import EmbryologyError
from embryology.facts import Fact, Reading, Relation, bundled, fact_sets, lama, pararel, template_problem
from embryology.runs.paths import data_folder
from tests.edited import edit

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
    later = FACT | {"sub_label": "Eybenstock"}  # the same fact under another name
    write(tmp_path / "TREx" / "P17.jsonl.gz", [FACT, FACT | {"sub_uri": "Q1", "sub_label": "Ulm"}, "\n", later])
    write(
        tmp_path / "TREx" / "P36.jsonl",
        [FACT | {"sub_label": "France", "obj_label": "Paris", "obj_uri": name} for name in "ab"],
    )
    return tmp_path


def test_trex_is_read_in_its_original_layout(folder):
    reading = lama.trex(folder)
    country, capital = reading.relations
    assert (country.name, country.kind, country.templates) == ("P17", "N-1", ("[X] is located in [Y] .",))
    assert [(fact.id, fact.subject) for fact in country.facts] == [("Q57881-Q183", "Eibenstock"), ("Q1-Q183", "Ulm")]
    assert (capital.name, capital.label, capital.kind) == ("P36", "capital", "1-1")
    assert [(fact.id, fact.object) for fact in capital.facts] == [("Q57881-a", "Paris"), ("Q57881-b", "Paris")]
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


def test_every_set_refuses_a_malformed_line_unless_it_may_be_left_out(tmp_path):
    for file in (*(f"Google_RE/{name}_test.jsonl" for name in lama.GOOGLE_RE), "Squad/test.jsonl"):
        write(tmp_path / file, ["{broken\n"])
    for part in ("graphs_json", "trex_lms_vocab"):
        write(tmp_path / part / "P17.jsonl", ["{broken\n"])
    for read in (lama.google_re, lama.squad, pararel.read):
        with pytest.raises(EmbryologyError, match=r"jsonl, line 1: Invalid JSON"):
            read(tmp_path)
    assert lama.google_re(tmp_path, skip_bad=True).skipped == {"malformed line": 3}


def test_another_encoding_is_said(folder):
    (folder / "TREx" / "P36.jsonl").write_bytes(json.dumps(FACT).encode() + b"\n" + b'{"sub_label": "Caf\xe9"}')
    with pytest.raises(EmbryologyError, match=r"P36\.jsonl cannot be read at line 2, which is not UTF-8"):
        lama.trex(folder)


def test_bad_lines_are_counted_where_that_is_asked_for(folder):
    write(folder / "TREx" / "P17.jsonl.gz", [FACT, "{broken\n", {"sub_label": "x"}])
    reading = lama.trex(folder, skip_bad=True)
    assert reading.facts() == 3
    assert reading.skipped == {"malformed line": 2}


@given(st.lists(st.binary(max_size=60), max_size=5))
@settings(max_examples=100)
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
        write(tmp_path / "Google_RE" / f"{name}_test.jsonl", [given, given, given | {"sub": "/m/2"}])  # a namesake
    reading = lama.google_re(tmp_path)
    assert [(relation.label, relation.templates, len(relation.facts)) for relation in reading.relations] == [
        ("date of birth", ("[X] (born [Y]).",), 2),
        ("place of birth", ("[X] was born in [Y] .",), 2),
        ("place of death", ("[X] died in [Y] .",), 2),
    ]
    assert reading.left_out == {"fact that comes twice": 3}
    sentences = ["no mask", "[MASK] or [MASK]", "It was [MASK] then.", "Then [MASK] was."]
    write(tmp_path / "Squad" / "test.jsonl", [{"id": "a", "obj_label": "gold", "masked_sentences": sentences}])
    (clozes,) = lama.squad(tmp_path).relations
    assert [(fact.sentence, fact.object) for fact in clozes.facts] == [("It was [Y] then.", "gold")]
    write(tmp_path / "Squad" / "test.jsonl", [{"id": "a", "obj_label": "gold", "masked_sentences": ["none"]}])
    with pytest.raises(EmbryologyError, match=r"test\.jsonl holds no sentence with exactly one \[MASK\]"):
        lama.squad(tmp_path)


def test_pararel_has_several_templates(tmp_path):
    triples = [{"sub_label": "Ulm", "obj_label": "Germany"}]
    write(tmp_path / "trex_lms_vocab" / "P17.jsonl.gz", triples * 2)
    write(tmp_path / "trex_lms_vocab" / "P31.jsonl", [*triples, {"sub_label": "Ulm", "obj_label": "city"}])
    patterns = ["[X] is located in [Y].", "[Y] is where [X] is"]  # the first asks, all are compared
    write(tmp_path / "graphs_json" / "P17.jsonl", [{"pattern": pattern, "lemma": "x"} for pattern in patterns])
    reading = pararel.read(tmp_path)
    assert [relation.templates for relation in reading.relations] == [tuple(patterns)]
    assert not re.search("Ulm|Germany", reading.relations[0].facts[0].id)  # measurements hold ids, and may be kept
    assert reading.left_out == {"triple of a relation without templates": 2, "fact that comes twice": 1}


FILES = {
    "trex": ("relations.jsonl", "TREx/P17.jsonl", "TREx/P36.jsonl.gz"),
    "google-re": tuple(f"Google_RE/{name}_test.jsonl" for name in lama.GOOGLE_RE),
    "squad": ("Squad/test.jsonl",),
    "pararel": tuple(f"{part}/P{n}.jsonl" for part in ("graphs_json", "trex_lms_vocab") for n in (17, 36)),
}
"""All that a set is read from; ParaRel's folders share the names of their files."""
PLACES = dict.fromkeys(FILES, lama.PLACE) | {"pararel": pararel.PLACE}


@pytest.fixture
def every_set(tmp_path, monkeypatch):
    """A folder of data with all of them, each file with bytes of its own."""
    data = tmp_path / "data"
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(data))
    for name, files in FILES.items():
        for file in files:
            write(data / PLACES[name] / file, [f"{name} {file}"])
    return data


def keys():
    return {name: json.dumps(fact_sets.find(name).identity(), sort_keys=True) for name in FILES}


@pytest.mark.parametrize(("name", "file"), [(name, file) for name, files in FILES.items() for file in files])
def test_a_sets_key_changes_with_each_of_its_files_alone(every_set, name, file):
    before, path = keys(), every_set / PLACES[name] / file
    edit(path, bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    assert [other for other, key in keys().items() if key != before[other]] == [name]
    path.unlink()
    if name != "trex" or file != "relations.jsonl":
        assert [other for other, key in keys().items() if key != before[other]] == [name]


def test_a_sets_key_changes_where_two_files_change_places(every_set):
    before, folder = keys(), every_set / pararel.PLACE
    templates, triples = (folder / part / "P17.jsonl" for part in ("graphs_json", "trex_lms_vocab"))
    templates.rename(folder / "kept")
    triples.rename(templates)
    (folder / "kept").rename(triples)
    assert [name for name, key in keys().items() if key != before[name]] == ["pararel"]


def test_a_sets_key_stays_where_nothing_that_is_read_changes(every_set, tmp_path, monkeypatch):
    before = keys()
    for file in [file for file in every_set.rglob("*") if file.is_file()]:
        os.utime(file, (0, 0))
    write(every_set / "knowledge" / "README.md", ["read me"])
    write(every_set / lama.PLACE / "TREx" / "notes.txt", ["note"])
    every_set.rename(tmp_path / "elsewhere")
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path / "elsewhere"))
    assert keys() == before


DESCRIPTIONS = (
    ("Kano (city)", "City in Kano State, Nigeria", "Geography"),
    ("Abuja", "Capital city of Nigeria", "Uncategorized"),
    ("Lagos", "City in Nigeria, Africa", "History"),  # of another topic
    ("Nigerians River", "River in Nigeria", "Geography"),  # which does not name Nigeria
    ("Nigeria Lake", "Lake in Nigeria", "Geography"),  # which does
    ("York (England)", "City in Nigeria", "Geography"),
    ("York (Ontario)", "City in Nigeria", "Geography"),
    ("Tomoe Gozen", "Japanese onna-musha warrior and samurai (1157–1247)", "People"),
)


@pytest.fixture
def described(monkeypatch):
    """The bundled articles with these descriptions alone, and the countries that all of them know."""
    bundled._countries()
    given = list(DESCRIPTIONS)
    monkeypatch.setattr(articles, "descriptions", lambda: iter(given))
    return given


def test_an_article_gives_the_facts_that_its_description_says(described):
    reading = bundled.read()
    facts = {relation.name: [(fact.subject, fact.object) for fact in relation.facts] for relation in reading.relations}
    assert {name: pairs for name, pairs in facts.items() if pairs} == {
        "capital": [("Abuja", "Nigeria")],
        "country": [("Kano", "Nigeria"), ("Nigerians River", "Nigeria"), ("York", "Nigeria"), ("York", "Nigeria")],
        "nationality": [("Tomoe Gozen", "Japanese")],
        "occupation": [("Tomoe Gozen", "warrior")],
    }
    assert reading.left_out == {"object named by the subject": 1}
    ids = [fact.id for relation in reading.relations for fact in relation.facts]
    assert len(set(ids)) == len(ids)  # two places of one name are two
    assert {fact.article for fact in reading.relations[1].facts} >= {"Kano (city)", "York (England)", "York (Ontario)"}


def test_held_out_facts_are_those_whose_article_is_by_its_whole_title(monkeypatch):
    monkeypatch.setattr(articles, "is_held_out", lambda title: title == "Kano (city)")
    facts = [Fact("a", "Kano", "Nigeria", article=title) for title in ("Kano (city)", "Kano", None)]
    assert bundled.held_out(facts) == [True, False, False]


def test_the_bundled_facts_key_changes_with_rules_descriptions_and_version(described, monkeypatch):
    seen = [json.dumps(fact_sets.find("bundled").identity()) for _ in range(2)]
    assert seen[0] == seen[1]
    described[-1] = (described[-1][0], described[-1][1].replace("warrior", "fighter"), "People")
    seen.append(json.dumps(fact_sets.find("bundled").identity()))
    *others, last = bundled.RULES
    reworded = replace(last, templates=(*last.templates[:-1], "[X] is a [Y]."))
    monkeypatch.setattr(bundled, "RULES", (*others, reworded))
    seen.append(json.dumps(fact_sets.find("bundled").identity()))
    monkeypatch.setattr(bundled.metadata, "version", lambda name: "99")
    seen.append(json.dumps(fact_sets.find("bundled").identity()))
    assert len(set(seen)) == 4


def test_counts_are_sums_over_relations():
    def made(kind, facts, templates=("a",)):
        return Relation("P", "p", kind, templates, tuple(Fact(str(n), "s", "o") for n in range(facts)))

    reading = Reading([made("N-1", 3), made("1-1", 2, ("a", "b")), made("N-1", 4), made("", 1, ())])
    assert fact_sets.counted(reading) == {"relations": 4, "templates": 4, "facts": 10, "N-1": 7, "1-1": 2}


@pytest.mark.parametrize(("known", "fine"), [(3, True), (2, False), (4, False)])
def test_counts_that_are_known_have_to_hold(folder, tmp_path, monkeypatch, known, fine):
    place = tmp_path / "data" / lama.PLACE
    place.parent.mkdir(parents=True)
    place.symlink_to(folder)
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path / "data"))
    trex = replace(lama.SOURCES[0], known={"": {"relations": 2, "1-1": known - 1}})
    monkeypatch.setattr(fact_sets, "OWN", (trex,))
    console = Console(file=io.StringIO(), width=200)
    if fine:
        fact_sets.check(console)
    else:
        with pytest.raises(EmbryologyError, match=f"trex has 2 1-1 instead of {known - 1}"):
            fact_sets.check(console)
    said = console.file.getvalue()
    assert "trex: relations 2, templates 2, facts 4, N-1 2, 1-1 2" in said
    assert "left out: fact that comes twice 1, relation without a file of facts 1" in said


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
    assert bundled.held_out(of_subject) == [articles.is_held_out(of_subject[0].article)]


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
    with pytest.raises(EmbryologyError, match="there is no set of facts 'x'; choose one of trex, google-re"):
        fact_sets.find("x")
    with pytest.raises(EmbryologyError, match=r"the facts 'trex' need knowledge/LAMA/relations\.jsonl"):
        fact_sets.find("trex")


KNOWN = {source.name: source.known[""] for source in fact_sets.OWN if source.known}


def test_known_counts_are_those_of_the_papers():
    trex, squad = KNOWN["trex"], KNOWN["squad"]
    assert trex["1-1"] + trex["N-1"] + trex["N-M"] == trex["facts"]
    assert (trex["relations"], trex["1-1"], trex["N-1"], trex["N-M"]) == (41, 937, 20_006, 13_096)  # Petroni 2019
    assert KNOWN["google-re"]["relations"] == 3
    assert squad["facts"] == 302  # of 305, three of which have no sentence with one mask


@pytest.mark.skipif(data_folder() is None, reason="EMBRYOLOGY_DATA is not set")
@pytest.mark.parametrize("name", KNOWN)
def test_known_counts_hold(name):
    ours = fact_sets.counted(fact_sets.find(name).read())
    assert {what: ours[what] for what in KNOWN[name]} == KNOWN[name]
