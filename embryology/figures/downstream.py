"""Whether more pretraining makes a better start (section 5 of the paper)."""

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown
from matplotlib.axes import Axes

from embryology.analysis import downstream, tables
from embryology.figures import answers, style
from embryology.runs.series import Series
from embryology.specs.downstream import BASELINES, MAJORITY, TF_IDF

SQUAD = "SQuAD"
MODELS = {"ALBERT": 1, "BERT": 2, "ELECTRA": 3}
"""Published curves and their line styles; the run itself has the first."""


def numbers(frame: pd.DataFrame, frozen: pd.DataFrame | None) -> dict[str, str]:
    """What the prose of the page says of the first series, by name.

    Args:
        frame: of :func:`embryology.analysis.downstream.with_mean`.
        frozen: the same of the frozen models; None where they were not measured.
    """
    tasks = downstream.tasks(frame)
    end, last = downstream.curve(frame, downstream.MEAN).iloc[-1], frame["step"].max()
    best = {task: downstream.curve(frame, task).set_index("step")["value"].idxmax() for task in tasks}
    above_majority = [task for task in tasks if _above(frame, task, MAJORITY)]
    above_words = [task for task in tasks if _above(frame, task, TF_IDF)]
    above_scratch = [task for task in tasks if _above_scratch(frame, task)]
    step, least, most = downstream.reached(frame)
    rho, n = downstream.trend(frame)
    collapsed = downstream.collapsed(frame)
    runs = sum(downstream.seeds(frame, task).notna().to_numpy().sum() for task in tasks)
    return {
        "tasks": style.listed([downstream.label(task) for task in tasks]),
        "n_seeds": style.plural(downstream.seeds(frame, tasks[0]).shape[1], "seed"),
        "last": f"{last:,}",
        "end": style.ranged(end, ".1f", scale=100),
        "above_majority": style.listed([downstream.label(task) for task in above_majority]),
        "above_words": style.listed([downstream.label(task) for task in above_words]),
        "above_scratch": style.listed([downstream.label(task) for task in above_scratch]),
        "best_checkpoint": _best_checkpoint({task: step for task, step in best.items() if step != last}),
        "reached": (
            f"{100 * downstream.ENOUGH:.0f}% of it is there at step {_range(step, least, most)}"
            if not np.isnan(step)
            else "no gain is shown, as its interval holds 0"
        ),
        "trend": f"{rho:.2f} over {n} checkpoints" if np.isfinite(rho) else f"not told by {n} checkpoints",
        "collapsed": f"{len(collapsed)} of {runs}",
        "sibling": _sibling(frame, frozen),
    }


def answer(series: Series, frame: pd.DataFrame) -> Markdown:
    """Whether it is a better start than none, and whether more steps help; arguments as of :func:`numbers`."""
    tasks = downstream.tasks(frame)
    scratch = sum(_above_scratch(frame, task) for task in tasks)
    words = sum(_above(frame, task, TF_IDF) for task in tasks)
    step, low, high = downstream.reached(frame)
    when = (
        f"Of the gain over pretraining {downstream.ENOUGH:.0%} is there at step {_range(step, low, high)}"
        if not np.isnan(step)
        else "That more steps help is not shown: the interval of the gain holds 0"
    )
    return answers.said(
        "Is it a better start for a task, and do more steps help?",
        f"{answers.of(scratch, len(tasks))}: it ends above the same network from scratch in {scratch} of "
        f"{answers.count(len(tasks), 'task')}, and above a linear model on words in {words}. {when}",
        answers.of_one(series, "development items and seeds of fine-tuning"),
    )


def _best_checkpoint(earlier: dict[str, int]) -> str:
    """A sentence; ``earlier`` is the best step of tasks of which it is not the last one."""
    if not earlier:
        return "The last checkpoint is the best one in every task."
    tasks = style.listed([f"{downstream.label(task)} (step {step:,})" for task, step in earlier.items()])
    return f"The best checkpoint is not the last one for {tasks}; the best of many noisy values is a little lucky."


def _range(step: float, low: float, high: float) -> str:
    """A step with its interval; where it is none, in words."""
    value, *ends = (
        f"{end:,.0f}" if np.isfinite(end) else "the first checkpoint" if end < 0 else "never"
        for end in (step, low, high)
    )
    return f"{value} ({' to '.join(ends)})"


def _above(frame: pd.DataFrame, task: str, name: str) -> bool:
    return bool(downstream.curve(frame, task)["low"].iloc[-1] > downstream.baseline(frame, task, name))


def _above_scratch(frame: pd.DataFrame, task: str) -> bool:
    """Whether the last checkpoint's interval lies above the untrained model's, fine-tuned alike."""
    rows = downstream.curve(frame, task)
    return bool(rows["step"].iloc[0] == 0 and rows["low"].iloc[-1] > rows["high"].iloc[0])


def _sibling(frame: pd.DataFrame, frozen: pd.DataFrame | None) -> str:
    if frozen is None:
        return "not measured"
    both, rho = downstream.siblings(frame, frozen, downstream.MEAN)
    if np.isnan(rho):
        return f"not told by the {len(both)} checkpoints that both measured"
    return f"{rho:.2f} over {len(both)} checkpoints"


@style.styled
def scores(frame: pd.DataFrame, source: str) -> HTML:
    """Scores over checkpoints, a panel a task and one for their mean: seeds, median, baselines, the best one.

    Args:
        frame: of :func:`embryology.analysis.downstream.with_mean`.
        source: which tasks, and how much of their train sets, as the probe recorded it.
    """
    shown = [downstream.MEAN, *downstream.tasks(frame)]
    if len(shown) == 2:  # of one task the mean is the task
        shown = shown[1:]
    figure, axes = style.grid(len(shown), min(2, len(shown)), 2.6)
    collapsed, drawn = downstream.collapsed(frame), []
    colour, marker, _ = style.LINES[0]
    for axis, task in zip(axes, shown, strict=True):
        by_seed, median = downstream.seeds(frame, task), downstream.curve(frame, task)
        points = {"color": colour, "linestyle": "", "marker": marker, "alpha": 0.45, "markersize": 3}
        for seed in by_seed:
            axis.plot(by_seed.index, 100 * by_seed[seed], **points, label="one seed")
        style.curve(axis, median, (colour, "", "-"), "median over seeds", scale=100)
        best = median.loc[median["value"].idxmax()]
        star = {"color": style.LINES[1][0], "linestyle": "", "marker": "*", "markersize": 11}
        axis.plot(best["step"], 100 * best["value"], **star, label="best checkpoint")
        failed = by_seed.stack().rename("value").reset_index()
        failed = failed.merge(collapsed[collapsed["task"] == task], on=["step", "seed"])
        if len(failed):
            cross = {"color": style.ALERT, "linestyle": "", "marker": "x"}
            axis.plot(failed["step"], 100 * failed["value"], **cross, label="answers everything alike")
        for name, label in BASELINES.items():
            score = downstream.baseline(frame, task, name)
            if np.isfinite(score):
                style.level(axis, 100 * score, name, label)
                drawn.append(pd.DataFrame({"task": [task], "baseline": name, "value": score}))
        axis.set(title=downstream.label(task), ylabel="score (points)")
        style.training_axis(axis, median["step"], "training step")
        seeds = by_seed.stack().rename("value").rename_axis(["step", "seed"]).reset_index()
        drawn += [median.assign(task=task, seed="median"), seeds.assign(task=task)]
    style.legend(figure, axes, 3)
    values = numbers(frame, None)
    answer = (
        f"At step {values['last']} the mean score is {values['end']}; {values['collapsed']} runs collapse to one answer"
    )
    return style.show(
        figure,
        "downstream",
        answer,
        pd.concat(drawn, ignore_index=True)[
            ["task", "seed", "baseline", "step", "tokens", "value", "low", "high", "n"]
        ],
        f"Does more pretraining make a better start? Every checkpoint of {tables.main_series(frame)} is fine-tuned "
        f"alike. Points: {values['n_seeds']}; line: their median; band: from the lowest to the highest end of "
        "the seeds' own 95% bootstraps over development items, so wider than an interval of 95%. "
        f"Tasks: {source}; whole development sets. Step 0 is a model trained from "
        "scratch on the task alone. Baselines: the most frequent class, and a linear model on tf-idf of the same "
        "examples.",
        f"{style.plural(len(shown), 'line chart')} of scores"
        f" over training steps. {answer}. Above the linear model on words: "
        f"{values['above_words']}.",
    )


@style.styled
def beside_published(frame: pd.DataFrame) -> HTML:
    """The mean score beside the released GLUE averages, and the share of the gain that is there by when."""
    published = downstream.published("glue_all")
    figure, (height, share, answers) = style.panels(1, 3, 9, 3.4)
    means = downstream.curve(frame, downstream.MEAN).set_index("step")["value"] * 100
    lines = {"this run": (means, 0)} | {
        f"published {model}": (published.loc[model].dropna(), number) for model, number in MODELS.items()
    }
    drawn = _answers_beside_published(frame, answers)
    quarter = {}
    gains = not np.isnan(downstream.reached(frame)[0])
    for name, (line, number) in lines.items():
        colour, marker, dashes = style.LINES[number]
        at, gain = line.index / max(line.index.max(), 1), float(downstream.gains(line.to_numpy()))
        height.plot(at, line, color=colour, marker=marker, linestyle=dashes, label=name)
        if gains or number:  # of no gain there is no share
            risen = (line - line.iloc[0]) / gain
            share.plot(at, 100 * risen, color=colour, marker=marker, linestyle=dashes)
            quarter[name] = 100 * np.interp(downstream.EARLY, at, risen)
        drawn.append(pd.DataFrame({"whose": name, "of": "mean", "step": line.index, "value": line.to_numpy()}))
    share.axhline(100 * downstream.ENOUGH, color=style.INK, linestyle=style.DOTTED, linewidth=1.3)
    share.axvline(downstream.EARLY, color=style.MUTED, linestyle=style.DASHED, linewidth=1)
    height.set(ylabel="mean score (points)", xlabel=style.counted("share of the training steps"))
    share.set(ylabel="% of the gain to the last three", xlabel=style.counted("share of the training steps"))
    style.legend(figure, [height], 4)
    told = [f"{name} {value:.0f}%" for name, value in quarter.items()]
    own, others = (told[0], told[1:]) if gains else ("no gain is shown of this run", told)
    answer = f"Of its whole gain there after a quarter of the steps: {own}; {style.listed(others)}"
    return style.show(
        figure,
        "downstream-published",
        answer,
        pd.concat(drawn, ignore_index=True),
        "Is most of the ability there early, as the paper finds? Left: the mean score of this run's tasks and the "
        "released GLUE averages, without intervals. Tasks and models differ, so heights do not compare. Middle: the "
        f"share of the gain from the first checkpoint to the mean of the last {downstream.LAST}. Lines stand at a "
        f"quarter of the steps and at {100 * downstream.ENOUGH:.0f}%; tasks: {numbers(frame, None)['tasks']}; one run "
        "a point. Right: the released scores for SQuAD 2.0, the mean of exact match and F1, which the averages leave "
        "out"
        + (", and this run's." if len(downstream.curve(frame, SQUAD)) else "; this run was not fine-tuned for it."),
        f"Three line charts over the share of training steps. {answer}.",
    )


def _answers_beside_published(frame: pd.DataFrame, axis: Axes) -> list[pd.DataFrame]:
    """SQuAD's scores of this run, where it was fine-tuned for it, and the released ones."""
    answers = downstream.curve(frame, SQUAD).set_index("step")["value"] * 100
    lines = {"this run": (answers, 0)} if len(answers) else {}
    lines |= {
        f"published {model}": (downstream.published(f"{model.lower()}_finetune").loc["SQuAD2.0"].dropna(), number)
        for model, number in MODELS.items()
        if model != "ALBERT"  # its scores were not released
    }
    for line, number in lines.values():
        colour, marker, dashes = style.LINES[number]
        axis.plot(line.index / max(line.index.max(), 1), line, color=colour, marker=marker, linestyle=dashes)
    axis.set(ylabel="score for SQuAD 2.0 (points)", xlabel=style.counted("share of the training steps"))
    return [
        pd.DataFrame({"whose": name, "of": SQUAD, "step": line.index, "value": line.to_numpy()})
        for name, (line, _) in lines.items()
    ]


@style.styled
def siblings(frame: pd.DataFrame, frozen: pd.DataFrame | None) -> HTML:
    """Whether a linear model on frozen vectors tells the same story."""
    if frozen is None:
        return HTML("<p>Linear models on the frozen checkpoints were not measured (<code>--probe frozen</code>).</p>")
    tasks = downstream.tasks(frame)
    figure, axes = style.grid(len(tasks), min(2, len(tasks)), 2.6)
    drawn, correlations = [], {}
    for axis, task in zip(axes, tasks, strict=True):
        for name, scored, line in (("fine-tuned", frame, style.LINES[0]), ("frozen", frozen, style.LINES[2])):
            curve = downstream.curve(scored, task)
            style.curve(axis, curve, line, name, scale=100)
            drawn.append(curve.assign(task=task, model=name))
        majority = downstream.baseline(frame, task, MAJORITY)
        style.level(axis, 100 * majority, MAJORITY, BASELINES[MAJORITY])
        drawn.append(pd.DataFrame({"task": [task], "baseline": MAJORITY, "value": majority}))
        axis.set(title=downstream.label(task), ylabel="score (points)")
        style.training_axis(axis, curve["step"], "training step")
        correlations[task] = downstream.siblings(frame, frozen, task)[1]
    style.legend(figure, axes, 3)
    known = [f"{downstream.label(task)} {rho:.2f}" for task, rho in correlations.items() if np.isfinite(rho)]
    answer = f"Rank correlation of both over checkpoints: {style.listed(known)}"
    return style.show(
        figure,
        "downstream-frozen",
        answer,
        pd.concat(drawn, ignore_index=True)[["task", "model", "baseline", "step", "value", "low", "high", "n"]],
        "Does a linear model on the frozen checkpoint tell the same story, at a small part of the cost? Its "
        "features are the mean of the last layer's vectors; fine-tuning changes all weights. Bands: from the "
        "lowest to the highest end of the seeds' 95% bootstraps over development items. Baseline: the most frequent "
        "class.",
        f"{style.plural(len(tasks), 'line chart')} of two scores over training steps. {answer}.",
    )


def table(frame: pd.DataFrame) -> HTML:
    """The last checkpoint in numbers, a row a task."""
    rows = []
    tasks = downstream.tasks(frame)
    for task in [*tasks, downstream.MEAN] if len(tasks) > 1 else tasks:
        end, first = downstream.curve(frame, task).iloc[-1], downstream.curve(frame, task).iloc[0]
        step, low, high = downstream.reached(frame, task)
        rows.append(
            {
                "task": downstream.label(task),
                "development items": f"{int(end['n']):,}",
                "score (lowest to highest end of the seeds' intervals)": style.ranged(end, ".1f", scale=100),
                **{label: f"{100 * downstream.baseline(frame, task, name):.1f}" for name, label in BASELINES.items()},
                f"step {first['step']:,.0f}": f"{100 * first['value']:.1f}",
                "95% of the gain at step": _range(step, low, high) if not np.isnan(step) else "no gain shown",
            }
        )
    return style.table(pd.DataFrame(rows))
