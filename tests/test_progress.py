"""What a log file and a terminal are shown of how far something is."""

import io
import re

import pytest
from rich.console import Console

from embryology import progress as progress_module
from embryology.pretraining.loop import pretrain
from embryology.probes.runner import chosen_settings, run_probes
from embryology.progress import Progress, working
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from tests.training import small_preset
from tests.treebank_files import less_silver

COUNTS = "{task.completed:,} of {task.total:,} steps{task.fields[seen]}"


class Clock:
    """A time that tests set."""

    now = 100.0

    def __call__(self):
        return self.now


def into_a_file():
    return Console(file=io.StringIO(), width=40)


def on_a_terminal(**options):
    return Console(file=io.StringIO(), width=100, force_terminal=True, **options)


def at_most(steps, seconds, console, begun_at=0, description="a [run]"):
    """Progress at ``steps``, which come every so many ``seconds``; what the console has then."""
    clock = Clock()
    with Progress(console, COUNTS, get_time=clock) as progress:
        bar = progress.add_task(description, total=4000, completed=begun_at, seen="")
        for step in steps:
            clock.now += seconds
            progress.update(bar, completed=step, seen=f", loss {step / 1000:.1f}")
    return console.file.getvalue()


def test_a_log_file_has_a_line_every_half_minute_with_the_time_left():
    said = at_most(range(100, 1100, 100), 10, into_a_file())
    assert said.splitlines() == [
        "a [run]: 300 of 4,000 steps, loss 0.3, 0:06:10 left",
        "a [run]: 600 of 4,000 steps, loss 0.6, 0:05:40 left",
        "a [run]: 900 of 4,000 steps, loss 0.9, 0:05:10 left",
    ]


def test_what_is_slow_has_a_line_each_time_and_the_time_left_once_there_is_a_speed():
    said = at_most((1000, 1100, 1200), 400, into_a_file(), begun_at=900)
    assert said.splitlines() == [
        "a [run]: 1,000 of 4,000 steps, loss 1.0",
        "a [run]: 1,100 of 4,000 steps, loss 1.1, 3:13:20 left",
        "a [run]: 1,200 of 4,000 steps, loss 1.2, 3:06:40 left",
    ]


def test_what_takes_less_than_half_a_minute_says_nothing():
    assert at_most((1000, 2000, 4000), 9.9, into_a_file()) == ""


def test_what_cannot_be_told_how_much_there_is_has_no_time_left():
    clock, console = Clock(), into_a_file()
    with Progress(console, "{task.completed:,} articles", get_time=clock) as progress:
        bar = progress.add_task("reading", total=None)
        for done in (1000, 2000):
            clock.now += 30
            progress.update(bar, completed=done)
        progress.update(bar, description="training the tokenizer")
    assert console.file.getvalue().splitlines() == ["reading: 1,000 articles", "reading: 2,000 articles"]


def test_a_terminal_has_a_bar_and_no_lines():
    said = at_most((1000, 2000), 60, on_a_terminal(), description="bar")
    assert "2,000 of 4,000 steps, loss 2.0" in said
    assert "━" in said
    assert "left" not in said


def test_a_terminal_that_cannot_draw_has_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert at_most((1000,), 60, on_a_terminal()) == "a [run]: 1,000 of 4,000 steps, loss 1.0\n"


def test_without_a_console_nothing_is_shown(capsys):
    with Progress(None, COUNTS, get_time=Clock()) as progress:
        progress.update(progress.add_task("x", total=4000, seen=""), completed=4000)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("console", "begins"), [(into_a_file, "book: building …\n"), (on_a_terminal, "\x1b")])
def test_what_cannot_be_counted_is_said_to_have_begun(console, begins):
    console = console()
    with working(console, "book: building"):
        pass
    assert console.file.getvalue().startswith(begins)


def test_preparing_training_and_probing_fill_a_log(home, tmp_path, monkeypatch):
    monkeypatch.setattr(progress_module, "EVERY", 0)
    preset, console = small_preset(tmp_path, steps=10, checkpoints=[0, 10]), Console(file=io.StringIO(), width=200)
    pretrain(preset, RunFolder(home / "runs" / "small"), resume=False, console=console)
    series = Series.open("small")
    less_silver(monkeypatch)
    run_probes(series, chosen_settings(series, ["tokens"], "smoke"), console=console)
    said = console.file.getvalue().splitlines()
    for line in (
        r"reading the articles: 250 articles, [\d,]+/s",
        r"training the tokenizer: \d+ articles, [\d,]+/s",
        r"tokenising: 250 articles, [\d,]+/s, \d:\d\d:\d\d left",
        r"small: step 10 of 10, loss \d\.\d\d, [\d.]+k tokens/s, 0:00:00 left",
        r"small step 0 tokens: 0 of 2 measurements",
        r"small step 10 tokens: 1 of 2 measurements",
        r"small step 10 tokens: 2 of 2 measurements, 0:00:00 left",
        r"small: 2 of 2 measured",
    ):
        assert sum(bool(re.fullmatch(line, each)) for each in said) == 1, (line, said)
