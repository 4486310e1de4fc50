"""What a person types, and what is said."""

import sys

import pytest

from embryology import cli
from embryology.runs import measurements
from embryology.runs.series import Series
from tests.hub import mirror as mirrors
from tests.hub.repositories import TOKENIZER, pickled, saved
from tests.probes.test_runner import CountProbe, specify

SEEDS = "hub:google/mb-seed_{seed}-step_{step}k"


@pytest.fixture
def probe(monkeypatch):
    probe = CountProbe()
    specify(monkeypatch, probe)
    return probe


@pytest.fixture
def said(monkeypatch, capsys):
    """Give a command: its exit status, and its lines on standard output and standard error."""

    def given(*arguments):
        capsys.readouterr()  # of what was made before
        monkeypatch.setattr(sys, "argv", ["embryology", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out.splitlines(), err.splitlines()

    capsys.readouterr()  # of what was made before

    return given


def test_several_seeds_are_measured_and_what_fails_of_one_is_said_at_the_end(mirror, probe, said, home):
    for seed in (0, 1):
        for step in (0, 20):
            mirror.commit(f"google/mb-seed_{seed}-step_{step}k", "main", pickled(100 * seed + step) | TOKENIZER)
    mirror.fault("resolve/.*pytorch_model", mirrors.error(401, "GatedRepo"), times=1)
    status, _, errors = said("probe", SEEDS, "--probe", "count")
    assert status == 1
    (line,) = errors
    assert line.startswith("error: google-mb-seed_0-step_k: could not be measured: step 0: google/mb-seed_0-step_0k@")
    assert line.endswith("its owner has to grant you access: ask on its page, then log in (hf auth login, or HF_TOKEN)")
    measured = [sorted(measurements.read(each)["step"]) for each in Series.open_all(SEEDS)]
    assert measured == [[20_000], [0, 20_000]]
    status, _, errors = said("probe", SEEDS, "--probe", "count", "--keep")
    assert (status, errors) == (0, [])
    kept = {path.parents[2].name for path in home.rglob("pytorch_model.bin")}
    assert kept == {"models--google--mb-seed_0-step_0k"}
    status, out, _ = said("show", SEEDS.replace("{seed}", "1"))
    assert status == 0
    assert any("count" in line for line in out)
    assert said("show", SEEDS)[2] == [f"error: {SEEDS} is of several seeds; name one of them here, with its number"]
    assert said("verify", "google-mb-seed_1-step_k")[:2] == (
        0,
        ["google-mb-seed_1-step_k: everything holds: the commits of 2 checkpoints"],
    )


def test_where_the_tokenizer_is_and_how_the_step_is_said_is_asked_once(mirror, probe, said):
    for step in (7, 30):
        mirror.commit("lab/odd", f"2024-{step}", saved(step))
    mirror.commit("lab/words", "main", TOKENIZER)
    assert "may be step 2,024 or" in said("probe", "hub:lab/odd@2024-*", "--probe", "count")[2][0]
    pattern = ("--step-pattern", r"-(?P<step>\d+)$")
    status, _, errors = said("probe", "hub:lab/odd@2024-*", "--probe", "count", *pattern)
    assert status == 1
    assert errors[0].endswith("holds a tokenizer; say where it is with --tokenizer")
    command = ("probe", "hub:lab/odd@2024-*", "--probe", "count")
    assert said(*command, *pattern, "--tokenizer", "hub:lab/words")[::2] == (0, [])
    assert probe.measured == 2
    assert said(*command)[::2] == (0, [])
    assert probe.measured == 2
    assert "has the step pattern" in said(*command, "--step-pattern", r"(?P<step>\d+)")[2][0]
