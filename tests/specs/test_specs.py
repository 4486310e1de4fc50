"""What specifications say, against what published results were measured with, and against tables with known truth."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from embryology import presets, specs
from embryology.errors import EmbryologyError
from embryology.runs.paths import ROOT
from embryology.specs import downstream, edges, knowledge, registry
from embryology.specs.knowledge import CONTEXTS
from embryology.tasks import glue

COVERS = (
    "embryology/specs/downstream.py",
    "embryology/specs/divergence.py",
    "embryology/specs/edges.py",
    "embryology/specs/grammar.py",
    "embryology/specs/knowledge.py",
    "embryology/specs/properties.py",
    "embryology/specs/registry.py",
    "embryology/specs/similarity.py",
    "embryology/specs/tokens.py",
)
RESULTS = [
    (folder, name, recorded)
    for folder in sorted((ROOT / "results").glob("*-seed*"))
    for name, recorded in json.loads((folder / "measurements" / "standing.json").read_text()).items()
]
CURRENT = [each for each in RESULTS if each[2]["version"] == registry.get(each[1]).version]
"""Of probes that have not changed since."""
NAMES = (
    *("attention", "completions", "divergence", "frozen", "grammar", "knowledge", "similarity", "tokens"),
    *("edges", "finetune", "forgetting"),
)


def named(each):
    folder, name, _ = each
    return f"{folder.name}-{name}"


@pytest.mark.parametrize("each", RESULTS, ids=named)
def test_published_results_were_measured_with_what_their_presets_say_today(each):
    """Defaults too: another one would be another measurement under the name of the same preset."""
    folder, name, recorded = each
    trained = yaml.safe_load((folder / "run.yaml").read_text())
    asked = trained["probes"].get(name)
    if asked is None:  # a preset may have got the probe since
        asked = presets.load(trained["preset"]).probes[name]
    assert registry.settings_of(name, asked).model_copy(update={"every": 1}) == registry.settings_of(
        name, recorded["settings"]
    )


def tables(folder, name):
    """The rows of a frozen run, its items, and the kinds of properties that were counted of them."""
    (place,) = (file.parent for file in (folder / "measurements" / name).glob("*/all.parquet"))
    items = place / "items" / "all.parquet"
    kinds = {file.stem.partition("-")[0] for file in place.glob("properties/*.parquet")}
    return place / "all.parquet", items if items.exists() else None, kinds


@pytest.mark.parametrize("each", CURRENT, ids=named)
def test_published_results_hold_what_specifications_name(each):
    folder, name, _ = each
    specification = registry.get(name)
    rows_file, items, kinds = tables(folder, name)
    rows = pq.read_table(rows_file).to_pandas()
    here = set(pq.read_schema(items).names if items else ())
    asked_for = tuple(f"_{kind}" for kind in CONTEXTS)
    assert here == {column for column in specification.kept_items if not column.endswith(asked_for)}
    assert kinds == set(specification.properties)
    assert set(rows["baseline"].dropna()) <= set(specification.baselines)
    if "unit" in rows:  # which older ones did not record
        units = set(rows.loc[rows["low"].notna(), "unit"])
        assert units
        assert units <= set(specification.resampled)
    if items and specification.rounded:
        columns = [column for column in specification.rounded if column in here]
        values = pd.read_parquet(items, columns=columns).head(200).to_numpy(float)
        np.testing.assert_allclose(values, values.round(2), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_what_nobody_asks_for_is_the_same_for_all_probes(name):
    settings = registry.settings_of(name, {})
    assert (settings.every, settings.seed, settings.precision) == (1, 0, "float32")


@pytest.mark.parametrize(
    ("name", "needs", "resampled", "properties"),
    [
        ("tokens", {"masked-head"}, ("word", "sentence"), ("frequency", "overlap", "exposure", "ngrams")),
        ("edges", {"hidden-states"}, ("document", "sentence"), ("overlap",)),
        ("attention", {"attentions"}, ("sentence",), ()),
        ("completions", {"masked-head"}, ("sentence", "pair"), ()),
        ("similarity", {"hidden-states"}, ("document", "sentence"), ()),
        ("divergence", {"masked-head"}, ("sentence",), ()),
        ("grammar", {"masked-head"}, ("pair", "sentence"), ()),
        ("knowledge", {"masked-head"}, ("object",), ("overlap", "exposure")),
        ("frozen", {"hidden-states"}, ("item",), ()),
        ("finetune", {"hidden-states", "both-directions"}, ("item",), ("overlap",)),
        ("forgetting", {"masked-head", "hidden-states", "both-directions"}, ("word", "sentence", "sequence"), ()),
    ],
)
def test_needs_units_and_properties_by_probe(name, needs, resampled, properties):
    specification = registry.get(name)
    assert specification.needs == needs <= specs.NEEDS.keys()
    assert (specification.resampled, specification.properties) == (resampled, properties)
    assert specification.language == (None if name in ("divergence", "forgetting") else "en")
    assert type(specification.load()).specification == specification


def test_the_expensive_ones_come_last_and_unasked_for_they_do_not_measure():
    assert tuple(registry.specifications()) == NAMES
    assert tuple(registry.asked_for(None, {})) == NAMES[:8]
    recorded = {"tokens": {"sentences": 9}, "edges": {"steps": 8}}
    asked = registry.asked_for(None, recorded)
    assert {name: settings.model_dump(exclude_unset=True) for name, settings in asked.items()} == recorded
    asked = registry.asked_for(["edges", "finetune"], recorded)
    assert {name: settings.model_dump(exclude_unset=True) for name, settings in asked.items()} == {
        "edges": {"steps": 8},
        "finetune": {},
    }
    assert registry.settings_of("knowledge", {"precision": "auto"}).precision == "float32"


SAYS = {
    "completions": {
        "gap": "masked word",
        "answer": "likeliest words",
        "reconstruction": "whole sentences",
        "preference": "better one of two",
        "most-frequent-word": "most frequent word",
        "chance": "chance",
        "untrained": "untrained",
    },
    "tokens": {
        "reconstruction": "reconstruction",
        "mask-prediction": "mask prediction",
        "most-frequent-word": "of the set",
        "most-frequent-in-group": "of the group",
        "untrained": "untrained",
    },
    "edges": {
        **{name: name for name in ("constituent", "dependency", "entity", "coreference")},
        "pos": "part of speech",
        "role": "role",
        "majority": "most frequent",
        "static": "static",
        "untrained": "untrained",
        "control": "control",
        "label-frequencies": "label frequencies",
    },
    "attention": {
        "patterns": "where",
        "attachment": "syntactic heads",
        "from-dependent": "the dependent attends to",
        "from-head": "attends most to the dependent",
        "best-head": "chosen on other sentences",
        "maps": "maps",
        "uniform": "uniform attention",
        "offset": "fixed offset",
        "untrained": "untrained",
    },
    "grammar": {
        "blimp": "BLiMP",
        "silver": "silver",
        "chance": "chance",
        "shorter-sentence": "fewer pieces",
        "unigram": "more frequent",
        "untrained": "untrained",
        "ngram": "5-gram",
        "lstm": "LSTM",
        "transformer-xl": "Transformer-XL",
        "gpt2": "GPT-2",
        "people": "people",
    },
    "divergence": {
        "unigram": "frequency of pieces",
        "left": "after the one before",
        "right": "before the one after",
        "model": "own distribution",
        "another-place": "another place",
        "untrained": "untrained",
    },
    "similarity": {
        "layers": "layers of one",
        "last": "last checkpoint",
        "before": "checkpoint before",
        "shape": "isotropy",
        "noise": "noise",
        "shuffled-words": "shuffled words",
        "majority": "most frequent",
        "untrained": "untrained",
    },
    "knowledge": {
        "trex": "T-REx",
        "google-re": "Google-RE",
        "squad": "SQuAD",
        "pararel": "ParaRel",
        "bundled": "vital articles",
        "fed": "made-up people",
        "most-common-object": "most common object",
        "without-subject": "without a subject",
        "untrained": "untrained",
        "shuffled-subjects": "different subjects",
        "copy": "copy",
    },
    "forgetting": {
        "plain": "plainly",
        "replay": "replay of masked words",
        "gem": "gradient episodic memory",
        "before": "before",
        "unigram": "frequency of pieces",
        "majority": "most frequent tag",
    },
    "finetune": {
        **{name: f"({name})" for name in glue.TASKS},
        "SQuAD": "(SQuAD 2.0)",
        "topic": "topic",
        "parity": "(parity)",
        "majority-vote": "(majority)",
        "regular": "a+b+c+d+",
        "range": "range",
        "sorted": "(sorting)",
        "majority": "most frequent class",
        "tf-idf": "tf-idf",
    },
}
"""By probe what the label of each task and baseline has to hold."""


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_those_of_what_they_name(name):
    specification, says = registry.get(name), SAYS.get(name, SAYS["finetune"])
    labels = specification.tasks | specification.baselines
    assert labels.keys() == says.keys()
    assert [key for key, label in labels.items() if says[key] not in label] == []
    assert len(set(labels.values())) == len(labels)


def test_units_and_needs_are_called_what_they_are():
    assert [unit for unit, called in specs.UNITS.items() if f"{unit}s" not in called] == []
    says = {"masked-head": "head", "hidden-states": "hidden", "attentions": "attention weights"}
    says |= {"both-directions": "both directions"}
    assert [need for need, called in specs.NEEDS.items() if says[need] not in called] == []


def test_targets_of_the_published_probing_are_those_of_tenney_et_al():
    """The test split of OntoNotes in their table of tasks: what F1 is made of there."""
    targets = {"pos": 212_121, "constituent": 190_535, "role": 61_716, "coreference": 27_800}
    assert targets == edges.PUBLISHED


def test_scores_are_the_tasks_without_classes():
    assert set(downstream.SCORED) == {name for name, layout in glue.TASKS.items() if not layout.classes}


def test_no_object_has_the_number_of_none():
    folder = ROOT / "results" / "tiny-seed0"
    items = pd.read_parquet(tables(folder, "knowledge")[1], columns=["object_number", "answer"])
    assert items["object_number"].min() == 0 > items["answer"].min() == knowledge.NO_OBJECT


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resampled": ("word", "letter")}, "tokens resamples letter; units are word"),
        ({"rounded": ("log_probability", "rank")}, "tokens rounds rank, which it does not keep"),
    ],
)
def test_a_specification_that_contradicts_itself_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(registry.get("tokens"), **changes)


def test_settings_stay_as_they_are_known_by():
    settings = registry.get("tokens").settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.seed = 1


def test_an_unknown_probe_or_setting_is_named():
    with pytest.raises(
        EmbryologyError,
        match="no probe 'tokns'; choose one of attention, completions, divergence, frozen",
    ):
        registry.get("tokns")
    with pytest.raises(EmbryologyError, match=r"settings of probe edges\.stps"):
        registry.settings_of("edges", {"stps": 3})
