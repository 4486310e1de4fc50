"""Which revisions and repositories a description names, and what their names say."""

import pytest

from embryology.errors import EmbryologyError
from embryology.runs.hub.descriptions import Description
from embryology.runs.paths import RunFolder
from embryology.runs.steps import Place, Record

parse = Description.parse
MULTIBERTS = "hub:google/multiberts-seed_{seed}-step_{step}k"


@pytest.mark.parametrize(
    ("text", "named", "others"),
    [
        (
            "hub:lab/m@step*",
            [("lab/m", "step0"), ("lab/m", "step-10")],
            [("lab/m", "main"), ("lab/n", "step0"), ("other/m", "step0"), ("m", "step0"), ("lab/m", "a-step0")],
        ),
        ("hub:lab/m@chck_*M", [("lab/m", "chck_10M")], [("lab/m", "chck_10"), ("lab/m", "chck_10MB")]),
        ("hub:lab/m@[sd]*[0-4]", [("lab/m", "step4"), ("lab/m", "decay0")], [("lab/m", "ext0"), ("lab/m", "step5")]),
        ("hub:lab/m@a.c", [("lab/m", "a.c")], [("lab/m", "abc")]),
        ("hub:lab/m@v{step}", [("lab/m", "v1.5M"), ("lab/m", "v20k")], [("lab/m", "v"), ("lab/m", "v1a")]),
        ("hub:gpt2@step*", [("gpt2", "step0")], [("lab/gpt2", "step0")]),
        (
            MULTIBERTS,
            [("google/multiberts-seed_12-step_200k", "main")],
            [("google/multiberts-seed_1", "main"), ("google/multiberts-seed_1-step_200", "main"),
             ("google/multiberts-seed_a-step_1k", "main"), ("google/my-multiberts-seed_1-step_1k", "main")],
        ),
        (
            "hub:lab/m-{seed}@seed{seed}-step{step}",
            [("lab/m-1", "seed1-step5")],
            [("lab/m-1", "seed2-step5"), ("lab/m-1", "main")],
        ),
    ],
)  # fmt: skip
def test_what_a_description_names(text, named, others):
    description = parse(text)
    assert [pair for pair in [*named, *others] if description.match(*pair)] == named


@pytest.mark.parametrize(
    ("text", "pair", "place"),
    [
        (MULTIBERTS, ("google/multiberts-seed_3-step_200k", "main"), Place(200_000)),
        ("hub:lab/bert-{epoch}", ("lab/bert-12", "main"), Place(12, None, "epochs")),
        ("hub:lab/m@n{words}M", ("lab/m", "n10M"), Place(10_000_000, None, "words")),
        ("hub:lab/m@{step}-{tokens}B", ("lab/m", "2000-4B"), Place(2000, 4 * 10**9)),
        ("hub:lab/m@{tokens}", ("lab/m", "1.5M"), Place(1_500_000, None, "tokens")),
        ("hub:lab/m@step*", ("lab/m", "step1000-tokens4B"), Place(1000, 4 * 10**9)),
        ("hub:lab/m-7-{seed}@*", ("lab/m-7-1", "step_20k"), Place(20_000)),
        ("hub:lab/m-step_*", ("lab/m-step_20k", "main"), Place(20_000)),
    ],
)
def test_how_far_training_was(text, pair, place):
    description = parse(text)
    assert description.match(*pair)
    assert description.place(*pair, Record()) == place


def test_a_record_says_more_than_a_name():
    description, pair = parse("hub:lab/m@{step}"), ("lab/m", "10")
    assert description.place(*pair, Record(steps={"10": 7})) == Place(7)
    assert description.place(*pair, Record(step_pattern="(?P<step>.)")) == Place(1)
    with pytest.raises(EmbryologyError, match=r"hub:lab/m@\*: main does not say its step"):
        parse("hub:lab/m@*").place("lab/m", "main", Record())
    with pytest.raises(EmbryologyError, match=r"'1\.5' in 1\.5 is no whole number"):
        description.place("lab/m", "1.5", Record())


def test_a_seed_takes_the_place_of_its_word():
    assert parse(MULTIBERTS).has_seeds
    one = parse(MULTIBERTS).of_seed("3")
    assert (one.text, one.has_seeds) == ("hub:google/multiberts-seed_3-step_{step}k", False)
    assert one.match("google/multiberts-seed_3-step_0k", "main")
    assert not one.match("google/multiberts-seed_13-step_0k", "main")


@pytest.mark.parametrize(
    ("text", "repository", "beginning"),
    [
        ("hub:lab/m@step*", "lab/m", "m"),
        ("hub:gpt2@main", "gpt2", "gpt2"),
        (MULTIBERTS, None, "multiberts-seed_"),
        ("hub:lab/*-{seed}@step1", None, ""),
    ],
)
def test_where_it_has_to_be_looked_for(text, repository, beginning):
    assert (parse(text).repository, parse(text).beginning) == (repository, beginning)


@pytest.mark.parametrize(
    "text", ["hub:", "hub:lab/", "hub:lab/m/n@step*", "hub:lab/m@", "hub:la b/m@step*", "lab/m@step*", "hub:lab/m@a b"]
)
def test_what_is_no_description(text):
    with pytest.raises(EmbryologyError, match="is no series on the Hub, as hub:OWNER/NAME@step\\* is"):
        parse(text)


def test_each_description_has_a_folder_that_can_be_typed(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path))
    names = {
        "hub:EleutherAI/pythia-14m@step*": "EleutherAI-pythia-14m-step",
        "hub:lab/m@chck_*M": "lab-m-chck_M",
        MULTIBERTS: "google-multiberts-seed_step_k",
        MULTIBERTS.replace("{seed}", "0"): "google-multiberts-seed_0-step_k",
        "hub:lab/m-{epoch}": "lab-m",
        "hub:../..@*": "hub",
    }
    for text, name in names.items():
        assert RunFolder.named(text).root == tmp_path / name


@pytest.mark.parametrize(
    "text", ["hub:a/m-seed_{seed}-step_{step}k", "hub:a/m{seed}-of-{seed}@step*", "hub:a/m-{seed}b@step*"]
)
def test_a_seeds_description_says_which_it_is(text):
    description = Description.parse(text)
    assert [description.seed_of(description.of_seed(seed).text) for seed in ("0", "12")] == [0, 12]
    assert description.seed_of(text) is None
    assert description.seed_of(text.replace("{seed}", "1").replace("hub:a", "hub:b")) is None
    assert Description.parse("hub:a/m{seed}-of-{seed}@step*").seed_of("hub:a/m1-of-2@step*") is None
    assert Description.parse("hub:a/m-{seed}b@step*").match("a/m-12b", "step1")["seed"] == "12", "and not 12b"
