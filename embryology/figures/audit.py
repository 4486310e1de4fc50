"""Whether a series is what it says: what ``embryology audit`` found, and the distances behind it."""

import html

import pandas as pd
from IPython.display import HTML, Markdown

from embryology.figures import answers, style
from embryology.runs.audit import result
from embryology.runs.audit.result import Audit
from embryology.runs.series import Series


def found(series: Series) -> HTML:
    """What is wrong with a series, a bullet each, or a sentence that says that nothing is, or that it is not known."""
    audit = result.kept(series.folder)
    if isinstance(audit, str):
        return style.paragraph(f"Whether {series.name} is what it says is not known: {audit}.")
    beside = f", held against {style.listed(audit.beside)}" if audit.beside else ""
    read = f"{audit.bytes_read / 1e6:,.1f} of {audit.size / 1e6:,.1f} MB of it were read{beside}."
    said = [f"{each.kind}: {each.says}" for each in audit.findings] + [f"not told: {note}" for note in audit.notes]
    first = f"Of {series.name} {_count(audit)}; {read}"
    bullets = "".join(f"<li>{html.escape(each)}</li>" for each in said)
    return HTML(style.paragraph(first).data + (f"<ul>{bullets}</ul>" if said else ""))


def answer(series: Series) -> Markdown:
    """What the report was made from, and whether that is what it says."""
    audit = result.kept(series.folder)
    said = f"not known, {audit}" if isinstance(audit, str) else _count(audit)
    return answers.said(
        "What was this report made from, and is that what it says?",
        f"{series.name}, {len(series.checkpoints)} checkpoints up to step {series.checkpoints[-1].step:,}; by the "
        f"audit: {said}",
        "The same command, commit, versions, text and threads give the same weights; the same weights the same figures",
    )


def warning(series: Series) -> str:
    """A sentence for every page about a series in which something was found to be wrong; else empty."""
    audit = result.load(series.folder)
    if isinstance(audit, str) or not audit.findings or isinstance(result.kept(series.folder), str):
        return ""
    return f"Not all of it is what it says: {_count(audit)} (embryology audit; see the page “About this build”)."


def _count(audit: Audit) -> str:
    kinds = style.listed(list(dict.fromkeys(each.kind for each in audit.findings)))
    said = f"{len(audit.findings)} findings ({kinds})" if audit.findings else "nothing was found to be wrong"
    count = len(audit.checkpoints)
    return said + (f", but {audit.unread} of {count} checkpoints could not be read" if audit.unread else "")


def checkpoints(series: Series) -> HTML:
    """The checkpoints as they were audited: files, dtypes and likeness, with what was found of each."""
    audit = result.kept(series.folder)
    if isinstance(audit, str):
        return HTML("")
    rows = [
        {
            "step": f"{row.step:,}",
            "name": row.name,
            "MB of weights": f"{row.size / 1e6:,.1f}",
            "dtype": row.dtype or "not read",
            "cosine with the first": _cosine(row.from_first),
            "with the one before": _cosine(row.to_previous),
            "findings": _kinds(audit, row.step),
        }
        for row in audit.checkpoints
    ]
    return style.table(pd.DataFrame(rows))


def _cosine(value: float | None) -> str:
    return "not read" if value is None else f"{value:.4f}"


def _kinds(audit: Audit, step: int) -> str:
    return ", ".join(dict.fromkeys(each.kind for each in audit.findings if step in each.steps))


@style.styled
def likeness(series: Series) -> HTML:
    """How like the first checkpoint each one is, and how like the one before; nothing where no weights were read."""
    audit = result.kept(series.folder)
    if isinstance(audit, str):
        return HTML("")
    rows = pd.DataFrame([row.model_dump() for row in audit.checkpoints]).dropna(subset=["from_first"])
    if len(rows) < 2:
        return HTML("")
    rows["findings"] = [_kinds(audit, step) for step in rows["step"]]
    figure, (axis,) = style.panels(1, 1, 9, 4)
    lines = zip(style.LINES, ("from_first", "to_previous"), ("with the first", "with the one before"), strict=False)
    for line, column, label in lines:
        shown = rows if column == "from_first" else rows.iloc[1:]
        style.curve(axis, shown.assign(value=shown[column]), line, label, band=False)
    wrong = rows[rows["findings"] != ""]
    if len(wrong):
        axis.plot(
            wrong["step"],
            wrong["from_first"],
            color=style.ALERT,
            marker="x",
            markersize=9,
            linestyle="",
            label="a finding",
        )
    style.counts(series.unit)
    style.training_axis(axis, rows["step"], "training step")
    axis.set_ylabel("cosine of weights")
    style.legend(figure, [axis], 3)
    last = rows.iloc[-1]
    return style.show(
        figure,
        "likeness",
        f"At step {last['step']:,} the weights have a cosine of {last['from_first']:.2f} with those of the first "
        "checkpoint.",
        rows[["step", "name", "from_first", "to_previous", "findings"]],
        "How like are a checkpoint's weights those of the first, and those of the one before? Cosine of a stretch of "
        "each of a few matrices, mean over the matrices. In a sound series the first line falls without returning; "
        "crosses mark checkpoints of which something was found.",
        f"Line chart of cosines over training steps; that with the first checkpoint ends at {last['from_first']:.2f}. "
        f"Checkpoints of which something was found: {len(wrong)}.",
    )
