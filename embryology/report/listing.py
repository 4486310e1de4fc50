"""What there is to work with: runs and what measured them, presets, probes with what they need and cost."""

from typing import Any

from rich.table import Table

from embryology import presets
from embryology.errors import EmbryologyError
from embryology.runs import measurements, names
from embryology.runs.series import Series
from embryology.specs import NEEDS, registry

Listed = dict[str, list[dict[str, Any]]]
VARIANTS = "variant-"
"""How the names of presets begin that differ from the preset ``variant`` in one part."""


def listing() -> Listed:
    """``runs``, ``presets`` and ``probes``, each with the same keys, as ``embryology list --json`` prints them.

    A folder that cannot be opened has a ``problem``, and so hides no other.
    """
    specifications = registry.specifications().values()
    return {
        "runs": [_run(name) for name in names.runs()],
        "presets": [_preset(presets.load(name)) for name in presets.names()],
        "probes": [
            {
                "name": each.name,
                "version": each.version,
                "needs": sorted(each.needs),
                "expensive": each.expensive,
                "tasks": list(each.tasks),
                "pages": [str(page) for page in each.pages],
            }
            for each in specifications
        ],
    }


def _run(name: str) -> dict[str, Any]:
    keys = "kind", "preset", "seed", "counts", "checkpoints", "last", "of", "measured_by", "problem"
    known: dict[str, Any] = {"name": name, **dict.fromkeys(keys)}
    try:
        series = Series.open(name)
        return known | {
            "kind": "frozen" if series.is_frozen else "run" if series.manifest else "checkpoints",
            "preset": series.manifest.preset if series.manifest else None,
            "seed": series.seed,
            "counts": series.unit,
            "checkpoints": len(series.checkpoints),
            "last": series.checkpoints[-1].step,
            "of": series.manifest.outcome.steps if series.manifest else None,
            "measured_by": sorted(measurements.standing(series.folder)),
        }
    except EmbryologyError as error:
        return known | {"problem": str(error)}


def _preset(preset: presets.Preset) -> dict[str, Any]:
    outcome = preset.outcome
    return {
        "name": preset.name,
        "family": outcome.model.family,
        "layers": outcome.model.num_hidden_layers,
        "hidden_size": outcome.model.hidden_size,
        "corpus": outcome.corpus.source,
        "steps": outcome.steps,
        "batch_size": outcome.batch_size,
        "sequence_length": outcome.sequence_length,
        "checkpoints": len(outcome.checkpoints),
        "probes": list(preset.probes),
    }


def tables(listed: Listed) -> list[Table]:
    """What a terminal shows of :func:`listing`."""
    runs = _table("runs", "run", "", "seed", "at", "measured by")
    for each in listed["runs"]:
        if each["problem"]:
            runs.add_row(each["name"], "", "", "", each["problem"])
        else:
            kind = " ".join(filter(None, (each["kind"], each["preset"])))
            seed = "" if each["seed"] is None else str(each["seed"])
            at = f"{each['counts']} {each['last']:,}" + (f" of {each['of']:,}" if each["of"] else "")
            runs.add_row(each["name"], kind, seed, at, ", ".join(each["measured_by"]))
    models = _table("presets", "preset", "model", "text", "steps × sequences × pieces", "checkpoints")
    shown = [each for each in listed["presets"] if not each["name"].startswith(VARIANTS)]
    if variants := len(listed["presets"]) - len(shown):
        models.caption = f"and {variants} that change one thing each, {VARIANTS}…; --json names them"
    for each in shown:
        model = f"{each['family']} {each['layers']} × {each['hidden_size']}"
        steps = f"{each['steps']:,} × {each['batch_size']:,} × {each['sequence_length']}"
        models.add_row(each["name"], model, each["corpus"], steps, str(each["checkpoints"]))
    probes = _table("probes", "probe", "needs", "takes")
    for each in listed["probes"]:
        takes = "minutes a checkpoint; measures where a preset or --probe names it" if each["expensive"] else "less"
        probes.add_row(each["name"], "; ".join(NEEDS[need] for need in each["needs"]), takes)
    return [runs, models, probes]


def _table(title: str, name: str, *columns: str) -> Table:
    table = Table(title=title)
    table.add_column(name, no_wrap=True)
    for column in columns:
        table.add_column(column)
    return table
