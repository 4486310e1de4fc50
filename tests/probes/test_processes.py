"""Several checkpoints at a time give what one after the other gives, and end as that ends."""

import contextlib
import functools
import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.probes.runner import run_probes
from embryology.runs import measurements
from embryology.runs.paths import ROOT
from embryology.specs import registry
from tests.plug_ins import forget

PLUG_IN = textwrap.dedent(
    '''
    """What it does at a step is in a file: measure, raise a text, or end in a way."""

    import errno, json, os, time
    from pathlib import Path

    import torch

    from embryology.probes import Probe
    from embryology.runs import measurements
    from embryology.specs import NotApplicable, ProbeSettings, Specification


    class Settings(ProbeSettings):
        folder: str


    class Behaves(Probe):
        def inputs(self, settings, series):
            return {}

        prepared = 0

        def prepare(self, settings, tokenizer, series):
            self.prepared += 1
            return Path(settings.folder)

        def measure(self, encoder, examples, part=""):
            (examples / f"began-{encoder.step}").touch()
            does = json.loads((examples / "does.json").read_text()).get(str(encoder.step), "")
            if does == "die":
                os._exit(3)
            if does == "full":
                raise OSError(errno.ENOSPC, "No space left on device")
            if does == "wait":
                time.sleep(600)
            if does == "not":
                raise NotApplicable("it does not like it")
            if does:
                raise ValueError(does)
            rows = {"process": os.getpid(), "threads": torch.get_num_threads(), "prepared": self.prepared}
            return [measurements.row(task, "", "score", value, n=1) for task, value in rows.items()], None


    SPECIFICATION = Specification(
        name="behaves", version=1, settings=Settings, needs=frozenset(), probe="mine:Behaves", kept_items=(),
        resampled=("item",), tasks={}, baselines={},
    )
    '''
)


@pytest.fixture
def behaves(tmp_path, make_series):
    """``behaves({step: does})``: a series of that many checkpoints, and its probe's settings."""
    forget()
    file = tmp_path / "mine.py"
    file.write_text(PLUG_IN, encoding="utf-8")

    def make(does):
        (tmp_path / "does.json").write_text(json.dumps(does), encoding="utf-8")
        registry.add(file)
        asked = registry.asked_for(["behaves"], {"behaves": {"folder": str(tmp_path)}})
        return make_series(steps=tuple(does)), asked

    yield make
    forget()


def steps_of(series):
    return set(measurements.read(series)["step"])


def test_numbers_are_those_of_one_after_the_other_to_the_last_bit(make_series, monkeypatch):
    monkeypatch.delenv("EMBRYOLOGY_DATA", raising=False)
    tables = []
    asked = registry.asked_for(["grammar"], {"grammar": {"pairs": 20}})
    for jobs in (1, 2):
        series = make_series(steps=(0, 10, 20))
        assert run_probes(series, asked, device="cpu", threads=1, jobs=jobs) == 3
        tables.append((measurements.read(series), measurements.read_items(series, "grammar")))
    for one, two in zip(*tables, strict=True):
        pd.testing.assert_frame_equal(one, two)


def test_what_cannot_be_measured_is_named_once_and_the_others_go_on(behaves, monkeypatch):
    series, asked = behaves({0: "", 10: "it broke", 20: "not", 30: "it broke", 40: "not", 50: ""})
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    ask = [sys.executable, "-c", "import torch; print(torch.get_num_threads())"]
    share = max(1, int(subprocess.run(ask, capture_output=True, check=True).stdout) // 2)
    screen = io.StringIO()
    with pytest.raises(EmbryologyError, match=r"could not be measured: step 10, 30: behaves: ValueError: it broke \("):
        run_probes(series, asked, console=Console(file=screen, width=300), jobs=2)
    assert screen.getvalue().splitlines() == [
        f"{series.name}: probe behaves does not apply: it does not like it",
        f"{series.name}: 4 of 6 measured",
    ]
    assert steps_of(series) == {0, 20, 40, 50}
    values = measurements.read(series).groupby("task")["value"].agg(set)
    assert os.getpid() not in values["process"]
    assert values["prepared"] == {1}, "examples are made once for many checkpoints"
    assert values["threads"] == {share}


def test_a_process_that_dies_is_a_line_and_what_was_measured_is_kept(behaves):
    series, asked = behaves({0: "", 10: "", 20: "die", 30: "wait"})
    with pytest.raises(EmbryologyError, match=f"^{series.name}: a process that measured has died, .* --jobs 1 if"):
        run_probes(series, asked, jobs=2)
    assert multiprocessing.active_children() == []
    kept = steps_of(series)
    assert kept <= {0, 10}
    (Path(asked["behaves"].folder) / "does.json").write_text("{}")
    assert run_probes(series, asked) == 4 - len(kept)


def test_where_nothing_more_can_be_written_no_other_is_begun(behaves):
    series, asked = behaves({0: "full", 10: "wait", 20: "", 30: "", 40: "", 50: ""})
    with pytest.raises(OSError, match="No space left"):
        run_probes(series, asked, jobs=2)
    assert multiprocessing.active_children() == []
    assert not (Path(asked["behaves"].folder) / "began-50").exists()


def test_ctrl_c_ends_all_of_them_at_once(behaves, tmp_path):
    series, _ = behaves({0: "", 10: "wait", 20: "wait"})
    settings = tmp_path / "asks.yaml"
    settings.write_text(f"extends: smoke\nprobes: {{behaves: {{folder: {tmp_path}}}}}\n", encoding="utf-8")
    arguments = ["probe", str(series.folder.root), "--jobs", "2", "--preset", str(settings), "--plugin", "mine.py"]
    # A shell lets what it starts in the background ignore Ctrl-C, and so would these tests' own children.
    heeding = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    command = subprocess.Popen(
        [sys.executable, "-m", "embryology", *arguments, "--probe", "behaves"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, preexec_fn=heeding,
    )  # fmt: skip
    try:
        until = time.monotonic() + 120
        while not all((tmp_path / f"began-{step}").exists() for step in (10, 20)):
            assert command.poll() is None, command.communicate()[0]
            assert time.monotonic() < until
            time.sleep(0.1)
        os.killpg(command.pid, signal.SIGINT)  # a terminal tells all processes
        said, _ = command.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(command.pid, signal.SIGKILL)
    assert command.returncode == 130
    assert "Traceback" not in said
    assert steps_of(series) == {0}
