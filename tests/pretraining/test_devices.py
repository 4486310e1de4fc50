import subprocess
import sys

import pytest
import yaml

from embryology.errors import EmbryologyError
from embryology.pretraining.devices import Devices
from embryology.runs.losses import read
from embryology.runs.paths import RunFolder
from tests.training import small_preset, train


@pytest.fixture
def preset(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    return small_preset(tmp_path, steps=30, checkpoints=[0, 20, 30])


def test_two_processes_follow_the_curve_of_one(preset, tmp_path):
    alone = train(preset, tmp_path / "runs" / "alone")
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(preset.model_dump(mode="json", include={"outcome", "speed"})))
    folder = RunFolder(tmp_path / "runs" / "two")
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    options = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    command = [*launch, *options, "-m", "embryology", "pretrain", str(file), "--run", str(folder.root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("done at step 30") == 1  # only the main process speaks
    two, one = read(folder), read(alone)
    columns = ["masked_loss", "pair_loss", "gradient_norm", "held_out_masked_loss"]
    assert (two[columns] - one[columns]).abs().max().max() < 2e-3
    assert two["tokens"].tolist() == one["tokens"].tolist()
    manifest = yaml.safe_load(folder.manifest.read_text())
    assert [session["processes"] for session in manifest["sessions"]] == [2]


def test_a_tracker_that_is_not_installed_is_one_line(tmp_path):
    with pytest.raises(EmbryologyError, match=r"there is no tracker 'nonsense'; accelerate knows aim, .*wandb"):
        Devices("nonsense", tmp_path)
    with pytest.raises(EmbryologyError, match="the tracker mlflow is not installed; pip install it"):
        Devices("mlflow", tmp_path)
