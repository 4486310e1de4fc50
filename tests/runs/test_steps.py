"""How far training was, as names of folders say it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embryology.errors import EmbryologyError
from embryology.runs.series import Series
from embryology.runs.steps import Place, Record, joined, keep, place, read
from tests.foreign import save_bert


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("checkpoint-1000", Place(1000)),
        ("checkpoint-1000-fp16", Place(1000)),
        ("step_20k", Place(20_000)),
        ("step_1.5M", Place(1_500_000)),
        ("1.5M", Place(1_500_000)),
        ("multiberts-seed_0-step_20k", Place(20_000)),
        ("step1000-tokens4B", Place(1000, 4_000_000_000)),
        ("step-001000-2BT", Place(1000, 2_000_000_000)),
        ("step1000-2T", Place(1000, 2 * 10**12)),
        ("step1000-3t", Place(1000, 3 * 10**12)),
        ("step1000-tokens4B-5Gtokens", Place(1000)),
        ("10g-words", Place(10 * 10**9, None, "words")),
        ("1M-tokens", Place(10**6, None, "tokens")),
        ("checkpoint-1M-tokens", Place(10**6, None, "tokens")),
        ("chck_2B_tokens_v2", Place(2 * 10**9, None, "tokens")),
        ("bert-3-epochs", Place(3, None, "epochs")),
        ("pythia-70m-1B-tokens", Place(10**9, None, "tokens")),
        ("ckpt-500-steps", Place(500)),
        ("1000-tokens4B", Place(1000, 4 * 10**9)),
        ("step-1000-tokens-4B", Place(1000, 4 * 10**9)),
        ("babylm-10M-words-epoch-3", Place(3, None, "epochs")),
        ("10M-words-step500", Place(500)),
        ("update7", Place(7)),
        ("20Mw", Place(20_000_000, None, "words")),
        ("128000", Place(128_000)),
        ("global_step52500", Place(52_500)),
        ("iter_0005000", Place(5000)),
        ("pythia-70m-step512", Place(512)),
        ("epoch_3-step_900", Place(900)),
        ("roberta-epoch_3", Place(3, None, "epochs")),
        ("epoch3-512", Place(512)),
        ("1000steps", Place(1000)),
        ("albert-v2-1000", Place(1000)),
        ("chck_10M", Place(10_000_000, None, "words")),
        ("tokens-2.5B", Place(2_500_000_000, None, "tokens")),
        ("step0", Place(0)),
        ("stage1-step120000-tokens252B", Place(120_000, 252 * 10**9)),
        ("stage2-ingredient1-step1000-tokens3B", Place(1000, 3 * 10**9, phase="stage2-ingredient1")),
        ("ext500", Place(500, phase="ext")),
        ("Decay-20k", Place(20_000, phase="decay")),
        ("extra-7", Place(7)),
    ],
)
def test_names_say_their_step(name, expected):
    assert place(name, Record()) == expected


@pytest.mark.parametrize(
    ("name", "readings"),
    [
        ("checkpoint-1000-2", "step 1,000 or 2"),
        ("checkpoint_2024-11-28", "step 2,024 or 11 or 28"),
        ("step_1_000", "step 1 or 0"),
        ("step-3-iter-7", "step 3 or 7"),
        ("gpt2-bert3", "step 2 or 3"),
        ("chck_10M-words5", "words 10,000,000 or 5"),
        ("step-1M-tokens", "step or tokens 1,000,000"),
        ("1000-tokens-4B", "step or tokens 1,000"),
        ("1-epoch-900", "step or epochs 1"),
        ("epoch_3_words", "epochs or words 3"),
    ],
)
def test_names_that_may_be_read_in_two_ways_are_refused_with_both(name, readings):
    with pytest.raises(EmbryologyError, match=rf"{name} may be .*{readings}.*series\.yaml"):
        place(name, Record())


@pytest.mark.parametrize("name", ["best", "seed-1", "v2", "model-fp16", "step_1.000", "final"])
def test_names_that_say_no_step_are_refused(name):
    with pytest.raises(EmbryologyError, match=rf"{name} does not say its step"):
        place(name, Record())


@given(
    st.integers(0, 10**12),
    st.sampled_from(["step", "checkpoint", "iter", "global_step", "ckpt"]),
    st.sampled_from("-_ ="),
)
def test_a_number_after_its_word_is_the_step(step, word, sign):
    assert place(f"{word}{sign}{step}", Record()) == Place(step)
    assert place(f"run3-{word}{sign}{step:015d}-bf16", Record()).step == step


def test_a_record_beside_the_folders_comes_first(tmp_path):
    assert place("best", Record(steps={"best": 7})) == Place(7)
    record = Record(step_pattern=r"s(?P<step>[\dk]+)_t(?P<tokens>\w+)")
    assert place("a1_s20k_t1.5_x", Record(step_pattern=r"s(?P<step>\w+?)_")) == Place(20_000)
    assert place("a1_s20k_t3B", record) == Place(20_000, 3 * 10**9)
    with pytest.raises(EmbryologyError, match="is not found in other"):
        place("other", record)
    with pytest.raises(EmbryologyError, match="'x' in s1_tx is no whole number"):
        place("s1_tx", record)


def test_what_a_record_counts_is_said_and_an_order_is_none_from_the_untrained_model():
    assert place("best", Record(steps={"best": 7}, counts="epochs")) == Place(7, None, "epochs")
    assert place("a-7", Record(step_pattern=r"-(?P<step>\d+)", counts="words")) == Place(7, None, "words")
    assert place("late", Record(steps={"late": 2}, counts="order")) == Place(2, None, "order")
    for record in (Record(steps={"e-0": 0}, counts="order"), Record(step_pattern=r"(?P<step>\d)", counts="order")):
        with pytest.raises(EmbryologyError, match="e-0 is said to be 0 in order; begin at 1"):
            place("e-0", record)


def test_phases_begin_where_the_record_says():
    record = Record(phases={"ext": 600, "stage2": 50}, steps={"ext9": 1})
    assert place("ext5", record) == Place(605)
    assert place("stage2-step3-tokens1B", record) == Place(53)  # tokens may be counted anew, too
    assert place("step5-tokens1B", record) == Place(5, 10**9)
    assert place("stage2-ingredient3-step3", record).phase == "stage2-ingredient3"
    assert place("ext9", record) == Place(1)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("(", "is no regular expression"), (r"\d+", r"needs a group \(\?P<step>"), (r"(?P<stop>\d)", "needs a group")],
)
def test_a_wrong_pattern_is_refused_and_not_kept(tmp_path, pattern, message):
    with pytest.raises(EmbryologyError, match=message):
        Series.open(tmp_path, step_pattern=pattern)
    assert not list(tmp_path.iterdir())


def test_a_pattern_is_kept_for_all_commands_and_not_replaced(tmp_path):
    folder = save_bert(tmp_path / "theirs", steps=(3, 5))
    for step in (3, 5):
        (folder / f"checkpoint-{step}").rename(folder / f"1-{step}")
    with pytest.raises(EmbryologyError, match=r"theirs: 1-[35] may be step 1 or [35]"):
        Series.open(folder)
    (folder / "series.yaml").write_text("steps: {best: 7}")
    keep(folder, joined(folder, step_pattern=r"-(?P<step>\d+)$"))
    assert read(folder) == Record(steps={"best": 7}, step_pattern=r"-(?P<step>\d+)$")
    assert [checkpoint.step for checkpoint in Series.open(folder).checkpoints] == [3, 5]
    assert Series.open(folder, step_pattern=r"-(?P<step>\d+)$").select("3,5")
    with pytest.raises(EmbryologyError, match=r"has the step pattern .* already"):
        Series.open(folder, step_pattern=r"^1-(?P<step>\d+)")
    assert read(folder).step_pattern == r"-(?P<step>\d+)$"
    (folder / "series.yaml").write_text("steps: {1-3: soon}")
    with pytest.raises(EmbryologyError, match=r"series\.yaml: steps\.1-3"):
        Series.open(folder)
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with pytest.raises(EmbryologyError, match="is a run, whose own records say its steps"):
        Series.open(tmp_path / "run", step_pattern=r"(?P<step>\d+)")
    assert not (tmp_path / "run" / "series.yaml").exists()


def test_checkpoints_that_count_words_say_so_and_are_not_joined_with_steps(tmp_path):
    folder = save_bert(tmp_path / "babylm", steps=(1, 2))
    (folder / "checkpoint-1").rename(folder / "chck_1M")
    (folder / "checkpoint-2").rename(folder / "chck_10M")
    series = Series.open(folder)
    assert series.unit == "words"
    assert [checkpoint.step for checkpoint in series.checkpoints] == [10**6, 10**7]
    (folder / "chck_10M").rename(folder / "step_20M")
    with pytest.raises(EmbryologyError, match=r"says words and .* says step"):
        Series.open(folder)
