"""``embryology audit`` of series on the Hub: what it finds there, how little it asks for, and what it cannot have."""

import re
import sys

import numpy as np
import pytest
from safetensors.numpy import save

from embryology import cli
from embryology.errors import EmbryologyError
from embryology.figures import audit as drawn
from embryology.runs.audit import reading, result
from embryology.runs.hub import groups
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from tests.hub import mirror as mirrors
from tests.hub.repositories import TOKENIZER

COVERS = ("embryology/runs/audit/entries.py", "embryology/runs/audit/reading.py")
PYTHIA, SEEDS = "hub:lab/pythia@step*", "hub:lab/mb-seed_{seed}-step_{step}k"
STEPS = tuple(range(0, 10000, 1000))
CONFIG = {"config.json": b'{"hidden_size": 64}'}
SMALL = sum(map(len, (CONFIG | TOKENIZER).values()))


def walk(seed, beginning=None):
    """Weights at every step, on a random way from a random beginning."""
    rng = np.random.default_rng(seed)
    first = np.random.default_rng(beginning or seed).normal(size=(600, 64))
    ways = np.cumsum(0.3 * rng.normal(size=(len(STEPS), 600, 64)), axis=0)
    return {step: (first + (step > 0) * way).astype(np.float32) for step, way in zip(STEPS, ways, strict=True)}


def files_of(weights):
    dense = {"embeddings.weight": weights, "layer.0.attention.weight": weights[:64], "layer.0.bias": weights[0]}
    return {"model.safetensors": save(dense)} | CONFIG | TOKENIZER


def put(mirror, weights, name="lab/pythia"):
    for step, matrix in weights.items():
        mirror.commit(name, f"step{step}", files_of(matrix))


@pytest.fixture
def said(monkeypatch, capsys):
    """Audit: the exit status, what was printed, and the lines on standard error."""

    def given(*arguments):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["embryology", "audit", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err.splitlines()

    return given


def kept(place=PYTHIA):
    return result.kept(RunFolder.named(place))


def found(place=PYTHIA):
    return {(each.kind, each.steps) for each in kept(place).findings}


def parts(mirror):
    """Bytes of files of weights that the mirror sent, by range."""
    ranges = [part for method, path, part in mirror.requests if method == "GET" and "/storage/" in path]
    assert None not in ranges, "a whole file was asked for"
    return sum(1 + int(end) - int(start) for start, end in (re.findall(r"\d+", part) for part in ranges))


def test_a_sound_series_is_read_in_part_and_that_is_counted_and_kept(mirror, said):
    put(mirror, walk(0))
    status, out, errors = said(PYTHIA)
    assert (status, errors) == (0, [])
    audit = kept()
    assert audit.findings == audit.notes == ()
    assert [(row.step, row.name) for row in audit.checkpoints] == [(step, f"step{step}") for step in STEPS]
    assert audit.bytes_read == parts(mirror), "each is read once"
    assert audit.size == sum(len(content) for files in mirror.commits.values() for content in files.values())
    assert audit.bytes_read < 0.5 * audit.size
    assert f"read {audit.bytes_read / 1e6:,.1f} of {audit.size / 1e6:,.1f} MB" in out
    assert mirror.sent < audit.bytes_read + SMALL + 1200 * len(STEPS), "beside them listings"
    asked = len(mirror.requests)
    assert "nothing was found to be wrong" in drawn.found(Series.open(PYTHIA)).data
    assert len(mirror.requests) == asked, "what was kept holds without the Hub"


def test_an_audit_holds_for_the_commits_that_it_is_of(mirror, said):
    put(mirror, walk(0))
    said(PYTHIA)
    folder = RunFolder.named(PYTHIA)
    (folder.root / "revisions.json").unlink()
    assert kept() == f"{folder.root} was not resolved yet (embryology audit {PYTHIA})"
    Series.open(PYTHIA)
    assert kept().findings == ()
    (folder.root / "revisions.json").unlink()
    mirror.commit("lab/pythia", "step3000", files_of(walk(1)[3000]))
    Series.open(PYTHIA)
    assert kept() == "its files have changed since it was audited (embryology audit RUN)"


def test_late_weights_under_early_names_and_equal_branches_are_told(mirror, said):
    """As of one Pythia, of whose branches many hold late weights, and of three of OLMo's that are the same."""
    weights = walk(0)
    put(mirror, weights | {0: weights[8000] + 1e-3, 2000: weights[7000]})
    status, out, errors = said(PYTHIA)
    assert status == 1
    assert errors == [
        f"error: findings: {len(kept().findings)}; leave those checkpoints out, or ask those who made them"
    ]
    assert ("same weights", (2000, 7000)) in found()
    assert "byte for byte" in out
    assert {0, 2000} <= {step for kind, steps in found() if kind == "out of order" for step in steps}
    record = RunFolder.named(PYTHIA).root / "series.yaml"
    record.write_text(record.read_text() + "leave_out: [step0, step2000]\n")
    assert said(PYTHIA)[0] == 0, "what is left out is none of it, and not missed"
    assert [row.step for row in kept().checkpoints] == [1000, *STEPS[3:]]


def test_seeds_that_share_a_beginning_are_told(mirror, said):
    for seed, beginning in ((0, 5), (1, 5), (2, 6)):
        for step, matrix in walk(seed, beginning).items():
            mirror.commit(f"lab/mb-seed_{seed}-step_{step // 1000}k", "main", files_of(matrix))
    status, out, _ = said(SEEDS)
    assert status == 1
    kinds = [{kind for kind, _ in found(each.place)} for each in groups.members(SEEDS)]
    assert kinds == [{"shared seed"}, {"shared seed"}, set()]
    assert "1 of them the same weights" in out, "step 0"
    assert kept(groups.members(SEEDS)[0].place).beside == ("lab-mb-seed_1-step_k", "lab-mb-seed_2-step_k")


def test_a_truncated_file_and_another_tokenizer_are_told(mirror, said):
    weights = walk(0)
    put(mirror, weights)
    whole = files_of(weights[4000])
    mirror.commit("lab/pythia", "step4000", whole | {"model.safetensors": whole["model.safetensors"][:-9]})
    mirror.commit("lab/pythia", "step5000", files_of(weights[5000]) | {"vocab.txt": b"another\n[UNK]"})
    mirror.commit("lab/pythia", "step6000", CONFIG | TOKENIZER | {"pytorch_model.bin": b"no weights" * 99})
    said(PYTHIA)
    assert found() == {
        ("damaged", (4000,)),
        ("another tokenizer", (5000,)),
        ("damaged", (6000,)),
    }


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (mirrors.error(500), "answered 500; give the same command again later"),
        (mirrors.hang, "gave no answer in time; give the same command again later"),
        (mirrors.error(401, "GatedRepo"), "its owner has to grant you access: ask on its page"),
        (mirrors.error(404, "RevisionNotFound"), "this revision is not there, or no longer"),
    ],
)
def test_what_cannot_be_had_is_told_of_and_the_others_are_examined(mirror, said, fault, reason):
    weights = walk(0)
    put(mirror, weights | {7000: weights[8000], 8000: weights[7000]})
    for step in (2000, 3000):
        mirror.fault(f"(resolve|storage)/{mirror.branches['lab/pythia'][f'step{step}']}/model", fault)
    status, out, errors = said(PYTHIA)
    assert status == 1
    assert errors[0].startswith("error: findings: ")
    assert errors[0].endswith("; not read: 2 checkpoints, of which less is told; give the same command again")
    (note,) = kept().notes
    assert note.startswith("steps 2,000, 3,000: not all could be read: ")
    assert reason in note
    assert f"lab-pythia-step: not told: {note}" in out
    assert {kind for kind, _ in found()} == {"out of order"}
    assert [row.from_first is None for row in kept().checkpoints] == [step in (2000, 3000) for step in STEPS]


def test_fewer_bytes_than_were_asked_for_are_no_damage_of_the_series(mirror, said):
    put(mirror, walk(0))

    def short(handler):
        content, _ = handler.part(handler.content())
        handler.answer(206, content[:-1])
        return True

    mirror.fault(f"storage/{mirror.branches['lab/pythia']['step3000']}", short)
    assert said(PYTHIA)[0] == 1
    assert found() == set()
    assert kept().notes == ("step 3,000: not all could be read: other bytes came than were asked for",)


def test_nothing_found_is_not_said_of_what_was_not_read(mirror, said):
    put(mirror, walk(0))
    mirror.fault("resolve/.*/model", mirrors.error(500))
    status, out, errors = said(PYTHIA)
    assert status == 1
    assert errors == ["error: not read: 10 checkpoints, of which less is told; give the same command again"]
    assert "nothing was found to be wrong" not in out
    text = drawn.found(Series.open(PYTHIA)).data
    assert "10 of 10 checkpoints could not be read" in text
    assert "answered 500" in text


def test_a_server_that_hangs_with_each_is_not_asked_for_all(mirror, said, monkeypatch):
    monkeypatch.setattr(reading, "PATIENCE", 3)
    monkeypatch.setattr(reading, "AT_ONCE", 1)
    put(mirror, walk(0))
    mirror.fault("resolve/.*/model", mirrors.error(500))
    assert said(PYTHIA)[0] == 1
    assert (
        len({path for _, path, _ in mirror.requests if "/resolve/" in path and path.endswith("model.safetensors")}) == 3
    )
    assert [note.partition(":")[0] for note in kept().notes] == [
        "steps 0, 1,000, 2,000",
        "steps 3,000, 4,000, 5,000, … 9,000 (7 in all)",
    ]
    assert "3 others, one after the other, could not be had" in kept().notes[1]


def test_a_server_without_ranges_is_read_whole_only_where_that_is_asked_for(mirror, said, home):
    put(mirror, walk(0))
    mirror.fault("storage", lambda handler: "Range" in handler.headers and mirrors.without_ranges(handler))
    status, _, errors = said(PYTHIA)
    assert (status, len(errors)) == (1, 1)
    (note,) = kept().notes
    assert note.endswith("gives no parts of files; --whole reads them from end to end")
    assert kept().bytes_read == 0
    assert said(PYTHIA, "--whole")[::2] == (0, [])
    assert (kept().findings, kept().notes, kept().whole) == ((), (), True)
    assert kept().checkpoints[3].from_first < 1
    assert list(home.rglob("*.safetensors")) == [], "let go again"


def test_bytes_that_are_not_those_listed_are_told_where_all_are_read(mirror, said):
    weights = walk(0)
    put(mirror, weights)
    mirror.fault(f"storage/{mirror.branches['lab/pythia']['step3000']}", mirrors.damaged)
    said(PYTHIA, "--whole")
    assert found() == {("damaged", (3000,))}
    assert "another sha256" in kept().findings[0].says


def test_without_a_network_what_is_here_is_examined_and_the_rest_named(mirror, said, offline):
    put(mirror, walk(0))
    series = Series.open(PYTHIA)
    for place in (3, 4, 5):
        with series.checkpoints[place].fetched(keep=True):
            pass
    offline()
    asked = len(mirror.requests)
    status, _, errors = said(PYTHIA)
    assert (status, errors) == (
        1,
        ["error: not read: 7 checkpoints, of which less is told; give the same command again"],
    )
    (note,) = kept().notes
    assert note.startswith(
        "steps 0, 1,000, 2,000, … 9,000 (7 in all): not all could be read: it is not on this machine"
    )
    assert [row.step for row in kept().checkpoints if row.from_first is not None] == [3000, 4000, 5000]
    assert len(mirror.requests) == asked
    status, out, errors = said("hub:lab/other@step*")
    assert (status, out, len(errors)) == (1, "", 1)
    assert "HF_HUB_OFFLINE keeps it from being fetched" in errors[0]


def test_an_audit_that_read_more_is_not_lost(mirror, said, offline):
    put(mirror, walk(0))
    said(PYTHIA)
    whole = kept()
    offline()
    assert said(PYTHIA)[0] == 1
    assert kept() == whole
    assert whole.unread == 0


@pytest.mark.parametrize(
    ("place", "names", "reason"),
    [
        ("hub:lab/one@*", ["step0", "main"], "main does not say its step"),
        ("hub:lab/one@nothing*", ["step0"], "nothing on the Hub matches"),
        ("hub:lab/one@*", ["step0", "ext5"], "checkpoints of several phases of training"),
        ("hub:lab/one@*", ["step0", "chck_10M"], "step0 says step and chck_10M says words"),
    ],
)
def test_what_is_no_series_is_one_line_and_nothing_is_written(mirror, said, place, names, reason):
    for name in names:
        mirror.commit("lab/one", name, files_of(walk(0)[0]))
    status, out, errors = said(place)
    assert (status, out, len(errors)) == (1, "", 1)
    assert reason in errors[0]
    assert not RunFolder.named(place).root.exists()


def test_a_single_checkpoint_is_called_one(mirror, said):
    mirror.commit("lab/one", "step0", files_of(walk(0)[0]))
    assert said("hub:lab/one@step0")[0] == 0
    (note,) = kept("hub:lab/one@step0").notes
    assert note == "a single checkpoint has no others that its weights could be held against"


def test_entries_of_a_folder_that_was_not_resolved_ask_nothing(mirror, tmp_path):
    (tmp_path / "named").mkdir()
    (tmp_path / "named" / "series.yaml").write_text(f"source: {PYTHIA}\n")
    put(mirror, walk(0))
    with pytest.raises(EmbryologyError, match="was not resolved yet"):
        result.entries(RunFolder(tmp_path / "named"))
    assert mirror.requests == []
    result.audit([str(tmp_path / "named")], False, cli.console)
    assert result.kept(RunFolder(tmp_path / "named")).findings == ()
