"""What decides whether something is measured again: each input changed alone, and what may change without that."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from safetensors.torch import load_file

from embryology.errors import EmbryologyError
from embryology.probes import edges, finetune, forgetting, frozen, grammar, knowledge, runner, tokens
from embryology.runs import measurements
from embryology.runs.checkpoints import TOKENIZER_FILES, WEIGHTS, Checkpoint
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.specs import registry
from embryology.storage.files import write_json
from embryology.treebanks.sets import EdgeSet
from tests.probes.test_runner import CountProbe, run, specify
from tests.treebank_files import conllu

COVERS = ("embryology/probes/runner.py",)
OTHER = {
    "seed": 1,
    "places": 9,
    "precision": "bfloat16",
    "sets": ("other",),
    "tasks": ("RTE", "other"),
    "treebank": "silver",
    "split": "dev",
    "alignment": "words",
    "protocol": "paper",
    "codelength": False,
    "kinds": ("N-M",),
    "learning_rate": 0.5,
    "train": 77,
    "max_length": 77,
    "sentences": 77,
    "mask_words_per_tag": 77,
    "train_sentences": 77,
    "steps": 77,
    "batch_size": 77,
    "epochs": 77,
    "seeds": 7,
    "facts": 77,
    "pairs": 77,
    "whole": False,
    "map_heads": 7,
    "words": 77,
    "components": 7,
    "contexts": ("types",),
    "other": "other.conllu",
    "methods": ("gem",),
    "share": 0.3,
}
"""By setting a value that is no probe's default."""


@pytest.fixture
def data(monkeypatch):
    """What identifies the data of all probes: set by set, and changed by writing into it."""
    made = {}

    def identity(name, split=""):
        return {"of": made.get(f"{name} {split}".strip(), 0)}

    def edge_set(name, split="test"):
        return EdgeSet(name, "", (), lambda: identity(name, split), lambda _: None, split, ("dependency",))

    monkeypatch.setattr(edges.edge_sets, "find", edge_set)
    treebank = SimpleNamespace(name="made", identity=lambda: identity("treebank"))
    monkeypatch.setattr(tokens.catalogue, "find", lambda *_: treebank)
    for sets in (knowledge.fact_sets, grammar.pair_sets):
        monkeypatch.setattr(sets, "find", lambda name: SimpleNamespace(identity=lambda: identity(name)))
    monkeypatch.setattr(finetune.catalogue, "identity", identity)
    monkeypatch.setattr(
        forgetting.universal,
        "find",
        lambda name, split: SimpleNamespace(identity=lambda: identity(name, split) | {"language": name}),
    )
    for module in (edges, tokens, finetune, forgetting, frozen, grammar):
        monkeypatch.setattr(module, "resolve", lambda precision: made.get("precision", precision))
    record = {"text_sha256": None}

    class Text:
        @property
        def text_sha256(self):
            return record["text_sha256"]

    monkeypatch.setattr(knowledge.several, "of_run", lambda folder: Text() if record["text_sha256"] else None)
    made["text"] = record
    return made


GIVEN = {"edges": {"sets": ("one", "two")}, "knowledge": {"sets": ("one", "two")}, "frozen": {"tasks": ("RTE", "CoLA")}}
GIVEN |= {"attention": {"treebank": "one"}, "similarity": {}, "tokens": {}, "finetune": {"tasks": ("RTE", "CoLA")}}
GIVEN |= {"grammar": {"sets": ("one", "two")}, "divergence": {}, "forgetting": {"other": "one.conllu"}}


def key(name, series, tokenizer="t", checkpoint=None, **settings):
    asked = runner._asked(series, name, registry.settings_of(name, GIVEN[name] | settings), tokenizer)
    return asked.configuration.key(checkpoint or series.checkpoints[0])


@pytest.mark.parametrize("name", GIVEN)
def test_a_measurement_depends_on_each_of_its_settings_but_how_many_checkpoints(name, data, tiny_series):
    base = key(name, tiny_series)
    assert key(name, tiny_series) == base == key(name, tiny_series, every=3)
    changed = set(registry.get(name).settings.model_fields) - {"every"}
    if name in ("attention", "divergence", "knowledge", "similarity"):
        changed -= {"precision"}  # which is always the same
    keys = {setting: key(name, tiny_series, **{setting: OTHER[setting]}) for setting in changed}
    assert len({base, *keys.values()}) == 1 + len(keys)


@pytest.mark.parametrize("name", GIVEN)
def test_a_measurement_depends_on_weights_tokenizer_version_and_probe(name, data, tiny_series, monkeypatch):
    base = key(name, tiny_series)
    keys = {base, key(name, tiny_series, "other"), key(name, tiny_series, checkpoint=tiny_series.checkpoints[1])}
    assert len(keys) == 3
    same = replace(tiny_series.checkpoints[0], step=77, tokens=77)
    assert key(name, tiny_series, checkpoint=same) == base  # it is the weights that count
    specification = registry.get(name)
    monkeypatch.setitem(registry.specifications(), name, replace(specification, version=specification.version + 1))
    assert key(name, tiny_series) not in keys


@pytest.mark.parametrize(
    ("name", "inputs", "others"),
    [
        ("attention", ["one test"], ["one dev", "two test"]),
        ("similarity", ["treebank"], []),
        ("tokens", ["treebank", "precision"], []),
        (
            "edges",
            ["one train", "one test", "two train", "two test", "precision"],
            ["one dev", "two dev", "three test"],
        ),
        ("knowledge", ["one", "two"], ["three"]),
        ("grammar", ["one", "two", "precision"], ["three"]),
        ("frozen", ["RTE", "CoLA", "precision"], ["MRPC"]),
        ("finetune", ["RTE", "CoLA", "precision"], ["MRPC"]),
        ("forgetting", ["auto train", "auto test", "one.conllu test", "precision"], ["one.conllu train", "RTE"]),
    ],
)
def test_a_measurement_depends_on_all_of_its_data(name, inputs, others, data, tiny_series):
    keys = [key(name, tiny_series)]
    for number, changed in enumerate(inputs):
        data[changed] = f"changed {number}"
        keys.append(key(name, tiny_series))
    assert len(set(keys)) == 1 + len(inputs)
    for other in others:
        data[other] = "changed"
        assert key(name, tiny_series) == keys[-1]


def test_the_published_protocol_depends_on_the_development_split_too(data, tiny_series):
    before = key("edges", tiny_series, protocol="paper")
    data["two dev"] = "changed"
    assert key("edges", tiny_series, protocol="paper") != before


def test_similarity_depends_on_the_checkpoints_that_are_compared(data, tiny_series):
    """The last one, and those between, each of which is somebody's neighbour; the place of a series does not count."""
    first, *between, last = tiny_series.checkpoints
    changed = replace(between[0], recorded="0" * 64), replace(last, recorded="1" * 64)
    series = [
        (first, *between, last),
        (first, *between),
        (first, last),
        (first, changed[0], *between[1:], last),
        (first, *between, changed[1]),
        (first, *between, replace(last, step=last.step + 1)),
    ]
    made = [key("similarity", replace(tiny_series, checkpoints=each), checkpoint=first) for each in series]
    assert len(set(made)) == len(series)
    assert key("similarity", replace(tiny_series, name="other"), checkpoint=first) == made[0]


def test_grammar_depends_on_which_checkpoint_is_the_last_where_that_is_asked_more(data, tiny_series):
    """Else what was the last one, and asked all, would stand for one that was asked a sample; and the other way."""
    first, middle, last = tiny_series.checkpoints
    shorter = replace(tiny_series, checkpoints=(first, middle))
    without_first = replace(tiny_series, checkpoints=(middle, last))
    for settings, differs in (({}, True), ({"whole": False}, False), ({"pairs": None}, False)):
        keys = [key("grammar", each, checkpoint=middle, **settings) for each in (tiny_series, shorter, without_first)]
        assert (keys[0] != keys[1]) is differs
        assert keys[0] == keys[2]


@pytest.mark.parametrize("name", ["divergence", "knowledge", "grammar"])
def test_a_measurement_depends_on_the_training_text(name, data, tiny_series):
    keys = [key(name, tiny_series)]
    for text in ("one text", "another text"):
        data["text"]["text_sha256"] = text
        keys.append(key(name, tiny_series))
    assert len(set(keys)) == 3


def test_the_training_text_is_that_of_the_series(home, tmp_path):
    for name in ("one", "other"):
        folder = home / "runs" / ".corpora" / name
        folder.mkdir(parents=True)
        write_json(folder / "corpus.json", {"text_sha256": name})
    series = Series("s", RunFolder(tmp_path), (), None)
    assert knowledge.several.of_run(series.folder) is None
    write_json(series.folder.corpus, {"text_sha256": "other"})
    assert knowledge.several.of_run(series.folder).record["text_sha256"] == "other"


def test_a_treebank_of_ones_own_is_known_by_the_content_of_its_split(tmp_path, tiny_series):
    file = tmp_path / "test.conllu"
    (tmp_path / "dev.conllu").write_text(conllu("d", "A/DT city/NN"))
    keys = []
    for content in ("The/DT city/NN", "The/DT film/NN"):  # of the same size
        file.write_text(conllu("d", content))
        keys.append(key("tokens", tiny_series, treebank=str(tmp_path / "{split}.conllu")))
    found = [
        tokens.TokensProbe().inputs(
            registry.settings_of("tokens", {"treebank": str(tmp_path / "{split}.conllu"), "split": split}), tiny_series
        )
        for split in ("test", "dev")
    ]
    assert keys[0] != keys[1]
    assert found[0]["file"] != found[1]["file"]


def test_cells_of_fine_tuning_depend_on_their_own_task_seed_and_recipe(data, tiny_series):
    def parts(**settings):
        asked = registry.settings_of("finetune", GIVEN["finetune"] | settings)
        return {name: json.dumps(part) for name, part in finetune.FinetuneProbe().parts(asked, tiny_series).items()}

    base = parts(seeds=2)
    assert [*base] == ["RTE-0", "RTE-1", "CoLA-0", "CoLA-1"]
    assert len(set(base.values())) == 4
    assert parts(seeds=3).items() > base.items()  # more of them, and other tasks, are no reason to train again
    assert parts(seeds=2, tasks=("CoLA",), every=7).items() < base.items()
    for setting in ("seed", "precision", "train", "max_length", "learning_rate", "epochs", "batch_size"):
        changed = parts(seeds=2, **{setting: OTHER[setting]})
        assert not set(changed.values()) & set(base.values()), setting
    data["CoLA"] = "changed"
    changed = parts(seeds=2)
    assert [changed[name] == base[name] for name in base] == [True, True, False, False]
    data["precision"] = "bfloat16"  # what "auto" is on another device
    assert not set(parts(seeds=2).values()) & set(changed.values())


def test_cells_of_forgetting_depend_on_their_method_seed_recipe_and_data(data, tiny_series):
    def parts(**settings):
        asked = registry.settings_of("forgetting", GIVEN["forgetting"] | settings)
        return {name: json.dumps(part) for name, part in forgetting.ForgettingProbe().parts(asked, tiny_series).items()}

    base = parts(seeds=2)
    assert [*base] == ["plain-0", "plain-1", "replay-0", "replay-1", "gem-0", "gem-1"]
    assert len(set(base.values())) == 6
    assert parts(seeds=3).items() > base.items()
    assert parts(seeds=2, methods=("gem",), every=7).items() < base.items()
    settings = set(registry.get("forgetting").settings.model_fields) - {"every", "seeds", "methods"}
    for setting in settings:
        changed = parts(seeds=2, **{setting: OTHER[setting]})
        assert not set(changed.values()) & set(base.values()), setting
    for changed in ("auto train", "one.conllu test"):
        data[changed] = "changed"
        assert not set(parts(seeds=2).values()) & set(base.values()), changed
    data["text"]["text_sha256"] = "other"
    assert "other" in parts(seeds=1)["plain-0"]


@pytest.mark.parametrize("changed", TOKENIZER_FILES)
def test_the_tokenizer_is_known_by_all_of_its_files(tmp_path, changed):
    series = Series("s", RunFolder(tmp_path), (Checkpoint(0, 0, tmp_path / "none"),), None)
    with pytest.raises(EmbryologyError, match="holds a tokenizer"):
        runner._tokenizer(series)
    series.folder.tokenizer.mkdir()
    for name in TOKENIZER_FILES:
        (series.folder.tokenizer / name).write_text("{one}")
    before = runner._tokenizer(series)
    assert before[0] == series.folder.tokenizer
    (series.folder.tokenizer / "README.md").write_text("Anything")
    assert runner._tokenizer(series) == before
    (series.folder.tokenizer / changed).write_text("{two}")
    assert runner._tokenizer(series)[1] != before[1]
    (series.folder.tokenizer / changed).unlink()
    assert runner._tokenizer(series)[1] != before[1]


@pytest.fixture
def probe(monkeypatch):
    probe = CountProbe()
    specify(monkeypatch, probe)
    return probe


@pytest.fixture
def series(tiny_series, tmp_path):
    """The checkpoints that all share, with measurements of their own."""
    return Series("own", RunFolder(tmp_path / "own"), tiny_series.checkpoints, None)


def test_every_checkpoint_has_parts_of_its_own(series, probe):
    probe.seeds = 2
    assert run(series) == 3
    assert probe.measured == 3 * 2
    assert measurements.read_items(series, "count")["item_id"].tolist() == ["aseed-0", "aseed-1"] * 3


def test_parts_are_known_by_what_they_depend_on_and_not_by_their_name(series, probe, monkeypatch):
    probe.seeds = 1
    run(series, steps="0")
    monkeypatch.setattr(probe, "parts", lambda *_: {"seed-0": {"seed": "another"}})
    probe.data = "two"  # else the whole measurement is there already
    run(series, steps="0")
    specify(monkeypatch, probe, version=2)
    run(series, steps="0")
    assert probe.measured == 3


def test_numbers_are_those_of_the_weights_of_their_step(series, probe, monkeypatch):
    name = "albert.embeddings.word_embeddings.weight"

    def measure(encoder, examples, part=""):
        total = float(encoder.model.get_parameter(name).detach().sum())
        return [measurements.row("sum", "", "weights", total, n=1)], None

    monkeypatch.setattr(probe, "measure", measure)
    run(series)
    told = measurements.read(series)
    assert told["step"].tolist() == [0, 10, 20]
    plain = [float(load_file(each.location / WEIGHTS)[name].sum()) for each in series.checkpoints]
    assert told["value"].tolist() == pytest.approx(plain)
    assert len(set(plain)) == 3


def test_the_precision_that_was_asked_for_is_recorded(series, probe):
    run(series, {"precision": "bfloat16"}, steps="0", device="cpu")
    run(series, {"precision": "float32", "factor": 2}, steps="10", device="cpu")
    folders = (series.folder.measurements / "count").glob("*/*.parquet")
    recorded = {
        (table["step"][0].as_py(), table["precision"][0].as_py())
        for table in (measurements.read_table(file) for file in folders)
    }
    assert recorded == {(0, "bfloat16"), (10, "float32")}


def test_without_contexts_a_measurement_of_facts_has_the_key_that_it_had_before_there_were_any(data, tiny_series):
    settings = registry.settings_of("knowledge", {"sets": ["one"], "every": 2})
    configuration = runner._asked(tiny_series, "knowledge", settings, "t").configuration
    assert configuration.settings == {
        "precision": "float32", "seed": 0, "sets": ["one"], "kinds": ["1-1", "N-1", ""], "facts": None
    }  # fmt: skip
    assert configuration.data == {"one": {"of": 0}, "precision": "float32", "training text": None}


def test_contexts_depend_on_the_articles(data, tiny_series, monkeypatch):
    keys = set()
    for articles in ("one", "other"):
        monkeypatch.setattr(knowledge.contexts, "identity", lambda articles=articles: articles)
        keys.add(key("knowledge", tiny_series, contexts=("sentence",)))
    assert len(keys) == 2
