"""What a person sees: the right thing with status 0, or one line and a status that is not 0."""

import json
import os
import shutil
import signal
import subprocess
import sys
from importlib.metadata import version

import pytest
import torch

from embryology import cli
from embryology.runs.paths import ROOT, RunFolder
from tests.training import small_preset, train
from tests.treebank_files import conllu


@pytest.fixture
def embryology(monkeypatch, capsys, tmp_path):
    """Run a command in this process: ``embryology("probe", "x")`` gives status, output and error lines."""
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("EMBRYOLOGY_DATA", raising=False)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["embryology", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        said = capsys.readouterr()
        return exit_.value.code or 0, said.out, said.err.splitlines()

    return run


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("cli")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBRYOLOGY_RUNS", str(home / "runs"))
        return train(small_preset(home, steps=10, checkpoints=[0, 10]), home / "runs" / "small")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pretrain", "tyni"], "no preset 'tyni'; choose one of"),
        (["pretrain", "no/such.yaml"], "such.yaml is missing"),
        (["pretrain", "smoke", "--run", ".."], "is no name for a run"),
        (["probe", "nowhere"], "there is no run at"),
        (["freeze", "nowhere"], "there is no run at"),
        (["report", "nowhere"], "there is no run at"),
        (["show", "nowhere"], "there is no run at"),
        (["export", "nowhere", "--to", "t.csv"], "there is no run at"),
        (["verify", "nowhere"], "there is no run at"),
        (["data", "get", "ewt"], "set EMBRYOLOGY_DATA"),
        (["data", "get", "etw"], "no data set 'etw'; choose one of"),
    ],
)
def test_a_wrong_word_is_one_line_and_a_status(embryology, arguments, message):
    status, out, errors = embryology(*arguments)
    assert status == 1
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert message in errors[0]
    assert out == ""


def test_the_version_is_that_of_the_package(embryology):
    assert embryology("--version") == (0, f"embryology {version('embryology')}\n", [])


def test_json_is_all_that_is_printed(embryology, run_folder, tmp_path):
    shutil.copytree(run_folder.root, tmp_path / "runs" / "mine")
    status, out, errors = embryology("list", "--json")
    assert (status, errors) == (0, [])
    listed = json.loads(out)
    assert listed.keys() == {"runs", "presets", "probes"}
    assert ("mine", 2) in [(each["name"], each["checkpoints"]) for each in listed["runs"]]
    status, out, errors = embryology("show", "mine", "--json")
    assert (status, errors) == (0, [])
    told = json.loads(out)
    assert (told["checkpoints"], told["order"]) == ([0, 10], {})
    assert [row["step"] for row in told["held_out"]] == [0, 10]
    status, out, errors = embryology("show", "nowhere", "--json")
    assert (status, out, len(errors)) == (1, "", 1)


def test_a_terminal_is_shown_what_there_is(embryology):
    status, out, errors = embryology("list")
    assert (status, errors) == (0, [])
    assert out.index("runs") < out.index("presets") < out.index("electra 12 ×") < out.index("masked-word head")


def test_an_export_is_told_table_by_table(embryology, tmp_path):
    result = ROOT / "results" / "tiny-seed3"
    status, out, errors = embryology("export", result, "--to", tmp_path / "t.csv", "--items")
    assert (status, errors) == (0, [])
    assert f"items_finetune: 4,760 rows in {tmp_path / 't-items_finetune.csv'}" in out.splitlines()
    status, out, errors = embryology("export", result, "--to", tmp_path / "t.csv")
    assert (status, out, len(errors)) == (1, "", 1)
    assert "t.csv is there already; --replace takes its place" in errors[0]
    assert embryology("export", result, "--to", tmp_path / "t.csv", "--replace")[0] == 0
    assert not (tmp_path / "t-items_finetune.csv").exists()


def test_a_book_goes_nowhere_where_something_else_is(embryology, tmp_path):
    (tmp_path / "mine").touch()
    status, out, errors = embryology("report", "nowhere", "--to", tmp_path)
    assert (status, out, len(errors)) == (1, "", 1)
    assert f"{tmp_path} is there already and holds no book; name another folder, or remove it" in errors[0]


def test_a_wrong_probe_or_step_is_named_and_nothing_is_written(embryology, run_folder):
    for arguments, message in (
        (["--probe", "tokns"], "no probe 'tokns'; choose one of"),
        (["--steps", "5"], "small has no checkpoint at step 5; it has 0, 10"),
    ):
        status, _, errors = embryology("probe", run_folder.root, *arguments)
        assert (status, len(errors)) == (1, 1)
        assert message in errors[0]
    assert not run_folder.measurements.exists()


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "is empty"), (b"\x7fELF\0\1", "is a binary file"), (b"\xff\xfea", "is not UTF-8")]
)
def test_text_that_is_none(embryology, tmp_path, content, message):
    text = tmp_path / "my.txt"
    text.write_bytes(content)
    preset = small_preset(tmp_path).model_dump(mode="json")
    preset["outcome"]["corpus"]["path"] = str(text)
    file = tmp_path / "mine.yaml"
    file.write_text(cli_yaml(preset))
    status, _, errors = embryology("pretrain", file)
    assert (status, len(errors)) == (1, 1)
    assert f"{text} {message}" in errors[0]
    assert not (tmp_path / "runs" / "mine").exists()


def test_an_unknown_corpus(embryology, tmp_path):
    preset = small_preset(tmp_path).model_dump(mode="json")
    preset["outcome"]["corpus"] = {"source": "gutenberg"}
    file = tmp_path / "mine.yaml"
    file.write_text(cli_yaml(preset))
    status, _, errors = embryology("pretrain", file)
    assert (status, len(errors)) == (1, 1)
    assert "there is no corpus source 'gutenberg'; choose one of bundled, fed, text, wikipedia, artificial" in errors[0]


def test_an_asked_for_treebank_that_is_missing_says_how_to_get_it(embryology, run_folder, tmp_path):
    from embryology.storage.files import read_yaml, write_yaml

    recorded = read_yaml(run_folder.manifest)
    write_yaml(run_folder.manifest, recorded | {"probes": {"tokens": {"treebank": "ewt"}}})
    status, _, errors = embryology("probe", run_folder.root)
    write_yaml(run_folder.manifest, recorded)
    assert (status, len(errors)) == (1, 1)
    assert "universaldependencies.org" in errors[0]


def test_a_known_count_that_does_not_hold_is_a_status(embryology, tmp_path, monkeypatch):
    from embryology.treebanks import conllu_reader, edge_sets

    monkeypatch.setattr(edge_sets, "OWN", (conllu_reader.EDGES,))
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path))
    file = tmp_path / conllu_reader.EWT / "en_ewt-ud-test.conllu"
    file.parent.mkdir(parents=True)
    file.write_text(conllu("x", "Cats/NNS sleep/VBP", "Cats/_ sleep/VBP"), encoding="utf-8")
    status, _, errors = embryology("data", "check")
    assert (status, len(errors)) == (1, 1)
    assert "en_ewt-ud-test.conllu, line 7: word without form or tag" in errors[0]
    status, out, errors = embryology("data", "check", "--skip-bad")
    assert (status, len(errors)) == (1, 1)
    assert "ewt test: sentences 1, skipped 1; pos 2, dependency 1" in out
    assert "2 known counts do not hold: ewt test has 1 sentences instead of 2,077" in errors[0]


def test_a_misspelt_setting_of_a_probe_is_refused_before_anything_is_trained(embryology, tmp_path):
    preset = small_preset(tmp_path).model_dump(mode="json")
    file = tmp_path / "mine.yaml"
    file.write_text(cli_yaml(preset) + "probes: {edges: {trainsentences: 3}}\n")
    status, _, errors = embryology("pretrain", file)
    assert (status, len(errors)) == (1, 1)
    assert "mine.yaml: settings of probe edges.trainsentences: there is no such key" in errors[0]
    assert not (tmp_path / "runs").exists()


def test_a_run_of_another_preset_is_left_alone(embryology, run_folder):
    before = bytes_of(run_folder)
    for resume in ([], ["--resume"]):
        status, _, errors = embryology("pretrain", "smoke", "--run", run_folder.root, *resume)
        assert (status, len(errors)) == (1, 1)
        assert "holds a run of preset 'small' that differs in" in errors[0]
        assert "; give another --run" in errors[0]
    assert bytes_of(run_folder) == before


def test_a_run_whose_text_has_changed_is_left_alone(embryology, tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(cli_yaml(small_preset(tmp_path).model_dump(mode="json")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", stop_at(30, torch.optim.AdamW.step))
        assert "interrupted at step 30 of 60" in embryology("pretrain", file)[2][0]
    run = RunFolder.named("small")
    before = bytes_of(run)
    assert {f"checkpoints/step-{step:08d}/model.safetensors" for step in (0, 5, 20)} <= before.keys()
    (text,) = tmp_path.glob("articles-*.txt")
    old = text.read_text()
    text.write_text(old + "\n\nA new article.")
    status, _, errors = embryology("pretrain", file, "--resume")
    assert (status, len(errors)) == (1, 1)
    assert "has changed since the run began; restore the text, or give another --run" in errors[0]
    after = bytes_of(run)
    assert after.pop("run.yaml") != before.pop("run.yaml")  # tells of the session
    assert after == before
    text.write_text(old)
    assert embryology("pretrain", file, "--resume")[0] == 0
    assert embryology("verify", "small")[0] == 0


def test_a_run_is_verified(embryology, run_folder, tmp_path):
    holds = "everything holds: 2 checkpoints with different weights, 2 rows of losses, at step 10 of 10"
    before = bytes_of(run_folder)
    assert embryology("verify", run_folder.root) == (0, f"small: {holds}\n", [])
    assert bytes_of(run_folder) == before
    damaged = shutil.copytree(run_folder.root, tmp_path / "damaged")
    (damaged / "tokenizer" / "tokenizer.json").unlink()
    (damaged / "checkpoints" / "step-00000010" / "config.json").unlink()
    status, out, errors = embryology("verify", damaged)
    assert (status, len(errors)) == (1, 1)
    assert "findings: 2" in errors[0]
    assert out.splitlines() == [
        "damaged: step-00000010: config.json is missing, which other checkpoints have",
        "damaged: tokenizer/tokenizer.json is missing",
    ]


def test_what_is_done_is_said_to_be_skipped(embryology, run_folder, tmp_path):
    assert embryology("data", "where")[0] == 0
    status, out, _ = embryology("data", "list")
    assert status == 0
    assert "wikipedia" in out


def test_a_command_with_nothing_to_do_loads_nothing_heavy():
    code = (
        "import sys; import embryology.cli, embryology.presets, embryology.runs.manifest,"
        "embryology.runs.series, embryology.probes.runner, embryology.report.build, embryology.runs.verify;"
        "print(sorted({'torch', 'spacy', 'papermill', 'sphinx', 'matplotlib'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def bytes_of(run):
    files = [path for path in run.root.rglob("*") if path.is_file() and path != run.lock]
    return {str(path.relative_to(run.root)): path.read_bytes() for path in files}


def stop_at(number, real):
    """An optimizer's ``step`` that asks the run to stop, as Ctrl-C does, at call ``number``."""
    calls = []

    def step(self, *arguments, **settings):
        calls.append(None)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, *arguments, **settings)

    return step


def cli_yaml(preset):
    import yaml

    return yaml.safe_dump({key: preset[key] for key in ("outcome", "speed")})


def test_a_dry_run_says_what_a_preset_costs_and_writes_nothing(embryology, tmp_path):
    status, out, _ = embryology("pretrain", "albert-base", "--dry-run")
    assert status == 0
    assert "11,813,810" in out
    assert not (tmp_path / "runs").exists()
