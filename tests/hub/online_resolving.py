"""What descriptions are resolved to, once, and what is refused."""

import json
import shutil

import pytest

from embryology.errors import EmbryologyError
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.storage.files import read_json, read_yaml
from tests.hub import mirror as mirrors
from tests.hub.mirror import blob, sha256
from tests.hub.repositories import TOKENIZER, pickled, saved

COVERS = (
    "embryology/runs/hub/client.py",
    "embryology/runs/hub/groups.py",
    "embryology/runs/hub/revisions.py",
    "embryology/runs/hub/tokenizers.py",
)
PYTHIA = "hub:lab/pythia@step*"


@pytest.fixture
def pythia(mirror):
    """Four steps as branches and one as a tag, beside a main branch; without and with shards."""
    for step in (0, 512, 64, 1000):
        mirror.commit("lab/pythia", f"step{step}", saved(step, shards=step == 64) | TOKENIZER)
    mirror.commit("lab/pythia", "step2000", saved(2000) | TOKENIZER, tag=True)
    mirror.commit("lab/pythia", "main", saved(2000) | TOKENIZER)
    return mirror


@pytest.fixture
def multiberts(mirror):
    """Two seeds of five steps, a repository each, with pickles and nothing else."""
    for seed in (0, 1, 10):
        for step in (0, 20, 100, 40) if seed < 10 else ():
            mirror.commit(f"google/multiberts-seed_{seed}-step_{step}k", "main", pickled(100 * seed + step) | TOKENIZER)
        mirror.commit(f"google/multiberts-seed_{seed}", "main", pickled(7) | TOKENIZER)
    return mirror


def refused(place, **said):
    with pytest.raises(EmbryologyError) as raised:
        Series.open_all(place, **said)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_revisions_are_resolved_to_commits_and_hashes_in_the_order_of_their_numbers(pythia):
    series = Series.open(PYTHIA)
    assert [checkpoint.step for checkpoint in series.checkpoints] == [0, 64, 512, 1000, 2000]
    assert [checkpoint.name for checkpoint in series.checkpoints[:2]] == [
        "hub:lab/pythia@step0",
        "hub:lab/pythia@step64",
    ]
    for checkpoint in series.checkpoints:
        commits = pythia.branches["lab/pythia"] | pythia.tags["lab/pythia"]
        assert checkpoint.revision.commit == commits[checkpoint.label]
        if checkpoint.step != 64:
            assert checkpoint.sha256 == sha256(saved(checkpoint.step)["model.safetensors"])
    assert len({checkpoint.sha256 for checkpoint in series.checkpoints}) == 5
    asked = [path for method, path, _ in pythia.requests if "/resolve/" in path]
    assert not [path for path in asked if path.endswith(".safetensors")], "hashes come from the listing"
    assert (series.manifest, series.losses, series.unit) == (None, None, "step")


def test_shards_are_known_by_the_hashes_of_all(pythia):
    shards = {name: content for name, content in saved(64, shards=True).items() if name.endswith(".safetensors")}
    assert len(shards) > 1
    before = Series.open(PYTHIA).checkpoints[1]
    assert before.revision.weights == {name: sha256(content) for name, content in shards.items()}
    for name in shards:
        files = saved(64, shards=True) | {name: shards[name][:-1] + b"x"} | TOKENIZER
        pythia.commit("lab/pythia", "step64", files)
        shutil.rmtree(RunFolder.named(PYTHIA).root)
        assert Series.open(PYTHIA).checkpoints[1].sha256 != before.sha256


def test_a_branch_that_moves_meanwhile_mixes_no_two_commits(pythia):
    """It moves when the first file is read, after it was listed."""
    before = pythia.branches["lab/pythia"]["step64"]

    def move(handler):
        pythia.commit("lab/pythia", "step64", saved(65) | {"model.safetensors.index.json": b"{}"} | TOKENIZER)

    pythia.fault("resolve/.*index.json$", move, times=1)  # which answers nothing, and so the mirror does
    checkpoint = Series.open(PYTHIA).checkpoints[1]
    assert pythia.branches["lab/pythia"]["step64"] != before
    assert checkpoint.revision.commit == before
    shards = {name for name in saved(64, shards=True) if name.endswith(".safetensors")}
    assert checkpoint.revision.weights.keys() == shards


def test_small_files_that_came_wrong_are_refused(pythia, tmp_path):
    pythia.fault("resolve/.*vocab.txt", lambda handler: handler.answer(200, TOKENIZER["vocab.txt"] + b"x") or True)
    said = refused(PYTHIA)
    assert said.endswith("vocab.txt came with other bytes than the Hub lists; give the same command again")
    assert not (tmp_path / "runs").exists()


def test_weights_that_the_hub_lists_without_a_hash_are_read_for_it(mirror, monkeypatch):
    monkeypatch.setattr(mirrors, "LARGE", ())
    mirror.commit("lab/small", "step1", saved(1) | TOKENIZER)
    (checkpoint,) = Series.open("hub:lab/small@step*").checkpoints
    assert checkpoint.sha256 == sha256(saved(1)["model.safetensors"])


def test_what_was_resolved_is_written_down_once_and_opened_without_a_network(pythia, offline):
    series = Series.open(PYTHIA)
    assert read_yaml(series.folder.root / "series.yaml") == {"source": PYTHIA}
    requests = len(pythia.requests)
    pythia.commit("lab/pythia", "step3000", saved(3000) | TOKENIZER)
    pythia.commit("lab/pythia", "step1000", saved(1001) | TOKENIZER)
    offline()
    again = [Series.open(place) for place in (PYTHIA, series.folder.name, series.folder.root)]
    for other in again:
        assert other == series
        assert [each.revision for each in other.checkpoints] == [each.revision for each in series.checkpoints]
    assert len(pythia.requests) == requests
    for checkpoint in series.checkpoints:
        assert (checkpoint.location / "vocab.txt").read_bytes() == TOKENIZER["vocab.txt"]
        assert json.loads((checkpoint.location / "config.json").read_text())["model_type"] == "bert"
    (series.folder.root / "revisions.json").unlink()
    assert "HF_HUB_OFFLINE" in refused(PYTHIA)


def test_damaged_and_foreign_records_are_refused(pythia):
    file = Series.open(PYTHIA).folder.root / "revisions.json"
    assert "the source" in refused_after(file, lambda: None, "hub:lab/pythia@step?")
    (file.parent / "series.yaml").write_text("source: hub:lab/pythia@step1*")
    assert "describe that in another folder" in refused(file.parent)
    (file.parent / "series.yaml").write_text(f"source: {PYTHIA}")
    file.write_text(json.dumps(read_json(file) | {"more": 1}))
    assert "revisions.json is damaged (more" in refused(PYTHIA)


def refused_after(file, change, place):
    """Two descriptions whose folders have one name."""
    change()
    assert RunFolder.named(place).root == file.parent
    return refused(place)


def test_repositories_by_a_pattern_and_a_series_a_seed(multiberts, offline):
    one = Series.open("hub:google/multiberts-seed_1-step_{step}k")
    assert [checkpoint.step for checkpoint in one.checkpoints] == [0, 20_000, 40_000, 100_000]
    several = "hub:google/multiberts-seed_{seed}-step_{step}k"
    series = Series.open_all(several)
    assert [each.name for each in series] == ["google-multiberts-seed_0-step_k", "google-multiberts-seed_1-step_k"]
    assert [(each.recipe, each.seed) for each in series] == [(several, 0), (several, 1)]
    assert [(each.recipe, each.seed) for each in Series.open_all([each.folder.root for each in series])] == [
        (several, 0),
        (several, 1),
    ], "said to all commands from then on"
    assert (one.recipe, one.seed) == (None, None), "opened before anybody said so"
    assert series[1] == Series.open("hub:google/multiberts-seed_1-step_{step}k")
    for seed, each in enumerate(series):
        for checkpoint in each.checkpoints:
            content = pickled(100 * seed + checkpoint.step // 1000)["pytorch_model.bin"]
            assert checkpoint.sha256 == sha256(content)
    assert "is of several seeds; name one" in refused_one(several)
    multiberts.commit("google/multiberts-seed_2-step_0k", "main", pickled(200) | TOKENIZER)
    offline()
    assert Series.open_all(several) == series
    assert Series.open_all(RunFolder.named(several).name) == series


def refused_one(place):
    with pytest.raises(EmbryologyError) as raised:
        Series.open(place)
    return str(raised.value)


def test_seeds_in_a_file_have_folders_beside_it(multiberts, tmp_path):
    for step in (0, 20, 40, 100):
        multiberts.commit(f"google/multiberts-seed_0-step_{step}k", "main", pickled(step))
    place = tmp_path / "mine"
    place.mkdir()
    (tmp_path / "tokenizer").mkdir()
    for name, content in TOKENIZER.items():
        (tmp_path / "tokenizer" / name).write_bytes(content)
    source = "hub:google/multiberts-seed_{seed}-step_*"
    (place / "series.yaml").write_text(f'source: "{source}"\nleave_out: ["*step_20k"]\n')
    series = Series.open_all(place)
    assert [each.folder.root.parent for each in series] == [place, place]
    assert [[checkpoint.step for checkpoint in each.checkpoints] for each in series] == [[0, 40_000, 100_000]] * 2
    assert [each.name for each in Series.open_all(place)] == [each.name for each in series]
    assert [(each.recipe, each.seed) for each in series] == [(source, 0), (source, 1)]
    assert (place / "seeds.json").exists()
    record = read_json(place / "seeds.json")
    (place / "seeds.json").write_text(json.dumps(record | {"members": ["hub:google/multiberts-sead_0-step_*"]}))
    assert "(hub:google/multiberts-sead_0-step_* is no seed of" in refused(place)
    (place / "seeds.json").write_text("{}")
    assert "seeds.json is damaged" in refused(place)


def test_epochs_and_words_are_counted_as_they_are_said(mirror):
    for epoch in (10, 2, 0):
        mirror.commit(f"yanaiela/roberta-base-epoch_{epoch}", "main", saved(epoch))
    series = Series.open("hub:yanaiela/roberta-base-epoch_{epoch}")
    assert ([checkpoint.step for checkpoint in series.checkpoints], series.unit) == ([0, 2, 10], "epochs")
    for words in (100, 2, 10):
        mirror.commit("babylm/gpt", f"chck_{words}M", saved(words))
    series = Series.open("hub:babylm/gpt@chck_*M")
    assert ([c.step for c in series.checkpoints], series.unit) == ([2 * 10**6, 10**7, 10**8], "words")


def test_phases_are_joined_only_where_it_is_said_when_they_begin(mirror):
    for name in ("step10", "step20", "ext5", "decay1", "stage1-step30-tokens3B", "stage2-ingredient1-step7-tokens1B"):
        mirror.commit("lab/ettin", name, saved(len(mirror.commits)))
    assert "several phases of training (decay, ext, stage2-ingredient1)" in refused("hub:lab/ettin@*")
    first = Series.open("hub:lab/ettin@*step?0*")
    assert [(each.step, each.tokens) for each in first.checkpoints] == [(10, None), (20, None), (30, 3 * 10**9)]
    assert [each.step for each in Series.open("hub:lab/ettin@ext*").checkpoints] == [5]
    root = RunFolder.named("hub:lab/ettin@[sed]*").root
    root.mkdir(parents=True)
    begin = "phases: {ext: 30, decay: 35, stage2-ingredient1: 36}"
    (root / "series.yaml").write_text(f"source: hub:lab/ettin@[sed]*\n{begin}\n")
    joined = Series.open(root).checkpoints
    assert [each.step for each in joined] == [10, 20, 30, 35, 36, 43]
    assert [each.tokens for each in joined] == [None, None, 3 * 10**9, None, None, None]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("hub:lab/pythia", "names no checkpoints; say which revisions, as hub:lab/pythia@step*"),
        ("hub:lab/pythia@stage*", "nothing on the Hub matches hub:lab/pythia@stage*; there are lab/pythia@main"),
        ("hub:lab/none@step*", "lab/none: there is no such repository, or it is not open to you"),
        ("hub:lab/none-{step}", "nothing on the Hub matches hub:lab/none-{step}"),
        ("hub:lab/pythia@*", "main does not say its step"),
        ("hub:lab/pythia@step{page}", "{page} is not known; there are {seed}, {step}"),
        ("hub:lab/ pythia@step*", "is no series on the Hub"),
        ("hub:pythia-{step}", "does not say whose repositories they are"),
    ],
)
def test_descriptions_that_name_nothing_are_refused_and_nothing_is_written(pythia, place, said, tmp_path):
    assert said in refused(place)
    assert not (tmp_path / "runs").exists()


def test_a_revision_without_weights_is_named_and_may_be_left_out(pythia):
    incomplete = {name: content for name, content in saved(64, shards=True).items() if "00001-of" not in name}
    pythia.commit("lab/pythia", "step64", incomplete | TOKENIZER)
    pythia.commit("lab/pythia", "step1", {"config.json": b"{}"})
    said = refused(PYTHIA)
    assert "hub:lab/pythia@step64 has neither model.safetensors, whole or in shards" in said or "@step1 has" in said
    root = RunFolder.named(PYTHIA).root
    root.mkdir(parents=True)
    (root / "series.yaml").write_text(f"source: {PYTHIA}\nleave_out: [step64, step1]\n")
    assert [checkpoint.step for checkpoint in Series.open(PYTHIA).checkpoints] == [0, 512, 1000, 2000]


def test_two_names_of_one_step_are_refused(pythia):
    pythia.commit("lab/pythia", "step-1000", saved(5))
    assert "are both step 1000" in refused(PYTHIA)
    pythia.commit("lab/pythia", "step0", saved(6), tag=True)
    assert "a branch and a tag 'step0' at different commits" in refused(PYTHIA)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (mirrors.error(500), "answered 500; give the same command again later"),
        (mirrors.error(429), "answered 429"),
        (mirrors.error(401, "GatedRepo"), "its owner has to grant you access"),
        (mirrors.hang, "gave no answer in time"),
        (lambda handler: handler.answer(200, b"<html>Log in</html>") or True, "answered what is not understood"),
        (lambda handler: handler.answer(200, b"{}") or True, "answered what is not understood (KeyError"),
    ],
)
@pytest.mark.parametrize("path", ["/refs$", "/revision/", "/api/models$"])
def test_a_server_that_fails_is_one_line_and_nothing_is_written(pythia, multiberts, fault, said, path, tmp_path):
    pythia.fault(path, fault)
    place = PYTHIA if path != "/api/models$" else "hub:google/multiberts-seed_1-step_{step}k"
    if path == "/api/models$" and "KeyError" in said:
        said = "nothing on the Hub matches"
    assert said in refused(place)
    assert not (tmp_path / "runs").exists()


def test_a_server_that_fails_for_a_moment_is_asked_again(pythia):
    pythia.fault("/refs$", mirrors.error(503), times=2)
    pythia.fault("/revision/", mirrors.hang, times=1)
    assert len(Series.open(PYTHIA).checkpoints) == 5


def test_no_server_is_one_line(pythia, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9 cannot be reached" in refused(PYTHIA)


def test_any_bytes_of_a_file_are_read_without_the_others(pythia, monkeypatch):
    checkpoint = Series.open(PYTHIA).checkpoints[0]
    content, contents = saved(0)["model.safetensors"], checkpoint.contents
    listed = contents.files()
    assert {name: stored.size for name, stored in listed.items()} == {
        name: len(each) for name, each in (saved(0) | TOKENIZER).items()
    }
    assert listed["model.safetensors"].sha256 == sha256(content)
    assert listed["vocab.txt"].sha256 is None
    assert listed["vocab.txt"].git == blob(TOKENIZER["vocab.txt"])
    before = pythia.sent
    assert contents.read("model.safetensors", 8, 20) == content[8:20]
    assert pythia.sent - before == 12
    assert contents.read("model.safetensors", 100) == content[100:]
    assert contents.read("model.safetensors", 5, 5) == b""
    assert contents.read("model.safetensors") == content
    assert contents.read("vocab.txt", 2, 9) == TOKENIZER["vocab.txt"][2:9]
    pythia.fault("/storage/", mirrors.without_ranges)
    with pytest.raises(EmbryologyError, match="gives no parts of files"):
        contents.read("model.safetensors", 8, 20)
    pythia.faults.clear()
    with pytest.raises(EmbryologyError, match="the file is not there"):
        contents.read("model.bin", 8, 20)


def test_a_tokenizer_from_elsewhere_is_kept_with_the_series(mirror, tmp_path):
    mirror.commit("lab/bare", "step1", saved(1))
    mirror.commit("lab/words", "main", TOKENIZER | {"README.md": b"Words"})
    series = Series.open("hub:lab/bare@step*", tokenizer="hub:lab/words")
    assert {path.name for path in series.folder.tokenizer.iterdir()} == {*TOKENIZER}
    assert read_yaml(series.folder.root / "series.yaml")["tokenizer"] == "hub:lab/words"
    requests = len(mirror.requests)
    assert Series.open("hub:lab/bare@step*", tokenizer="hub:lab/words") == Series.open("hub:lab/bare@step*")
    assert len(mirror.requests) == requests
    assert "has the tokenizer 'hub:lab/words' already" in refused("hub:lab/bare@step*", tokenizer=str(tmp_path))
    mirror.commit("lab/bare", "stap1", saved(1))
    assert "there is no tokenizer at" in refused("hub:lab/bare@stap*", tokenizer=str(tmp_path))
    assert "no such repository" in refused("hub:lab/bare@stap*", tokenizer="hub:lab/none")
    assert "is no repository on the Hub" in refused("hub:lab/bare@stap*", tokenizer="hub:lab/no ne")
    mirror.commit("lab/bare", "stop1", saved(1) | TOKENIZER)
    assert "has a tokenizer of its own" in refused("hub:lab/bare@stop*", tokenizer="hub:lab/words")
