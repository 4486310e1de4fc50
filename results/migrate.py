"""Bring the frozen runs from the form before the redesign into the present one, once: values stay, names change.

    EMBRYOLOGY_DATA=… python results/migrate.py

A frozen run kept the key of each measurement, but not what it was made of. Here the configuration of every probe is
put together again from the run's own settings and the data, and the old key is recomputed from it with the weights'
recorded hashes: only where each key of each checkpoint comes out is it recorded. Kept in the history for those who
have to do the like; the commit after removes it.
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from embryology.presets import Outcome, Preset
from embryology.runs import freeze, measurements
from embryology.runs.checkpoints import Checkpoint
from embryology.runs.measurements import Configuration
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.specs import registry
from embryology.storage.files import read_json, read_yaml, sha256_of, write_json, write_yaml

RESULTS = Path(__file__).parent
TOKENIZERS = (
    "95a6e5712f34fdd55de6549d37b1e91521e84a7a770bb3e4d99ce5bb8d5d0401",
    "ee8b781727cd527b20e01748358bb574b496d47c3a1b2ce3f6735a4a3b678dc9",
)
"""The two forms of the tokenizer that corpus 'wikipedia' gives with 8,192 pieces, as prepared and as saved again."""
OUTCOME = {
    "tokenizer": {"pieces": "vocab_size"},
    "model": {
        "layers": "num_hidden_layers",
        "width": "hidden_size",
        "feed_forward": "intermediate_size",
        "heads": "num_attention_heads",
        "embedding": "embedding_size",
        "generator": "generator_size",
    },
    "objective": {
        "masked_share": "mlm_probability",
        "longest_ngram": "max_ngram",
        "becomes_mask": "mask_replace_prob",
        "becomes_random": "random_replace_prob",
        "replaced_weight": "rtd_weight",
    },
    "optimizer": {"peak_rate": "learning_rate", "warm_up": "warmup_steps", "clip": "max_grad_norm"},
}
PAIRS = {"order": "sop", "next": "nsp", "none": "none"}
SETTINGS = {
    "edges": {"batch": "batch_size", "rate": "learning_rate"},
    "finetune": {"batch": "batch_size", "rate": "learning_rate", "length": "max_length"},
    "frozen": {"length": "max_length"},
}
VERSIONS = {"knowledge": (4, 5)}


def renamed(values: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in values.items()}


def main() -> None:
    for file in sorted(RESULTS.glob("*/frozen.yaml")):
        folder = RunFolder(file.parent)
        tables = {path.parent.name: path for path in sorted(folder.measurements.glob("*/all.parquet"))}
        rows = {probe: pd.read_parquet(path) for probe, path in tables.items()}
        items = {path.parent.name: pd.read_parquet(path) for path in folder.measurements.glob("details/*/all.parquet")}
        rewrite_manifest(folder)
        rewrite_corpus(folder)
        rewrite_left_out(folder)
        series = Series.open(folder.root)
        configurations = []
        for probe, path in tables.items():
            configurations.append(configuration := proven(series, probe, rows[probe]))
            path.unlink()
            of_series = new_rows(series, configuration, rows[probe])
            freeze.write_all(folder, configuration, of_series, new_items(items.get(probe)))
            keys = rows[probe]["key"].nunique()
            print(f"{series.name}: {probe} version {configuration.version}: {keys} keys recomputed")
        measurements.write_standing(folder, configurations)
        for path in folder.measurements.glob("details/*/all.parquet"):
            path.unlink()
            path.parent.rmdir()
        (folder.measurements / "details").rmdir()


def rewrite_manifest(folder: RunFolder) -> None:
    manifest = read_yaml(folder.manifest)
    outcome = manifest["outcome"]
    for section, names in OUTCOME.items():
        outcome[section] = renamed(outcome[section], names)
    outcome["objective"]["pair"] = PAIRS[outcome["objective"]["pair"]]
    manifest["outcome"] = renamed(outcome, {"sequences": "batch_size"})
    preset = Preset(name=manifest["preset"], outcome=Outcome.model_validate(manifest["outcome"]))
    manifest["outcome_sha256"] = preset.outcome_sha256
    manifest["probes"] = {name: renamed(values, SETTINGS.get(name, {})) for name, values in manifest["probes"].items()}
    for session in manifest["sessions"]:
        session["speed"] = renamed(session["speed"], {"accumulate": "gradient_accumulation_steps"})
    write_yaml(folder.manifest, manifest)


def rewrite_corpus(folder: RunFolder) -> None:
    write_json(folder.corpus, renamed(read_json(folder.corpus), {"pieces": "vocab_size"}))


def rewrite_left_out(folder: RunFolder) -> None:
    frozen = read_yaml(folder.frozen)
    probes: dict[str, Any] = {}
    columns = {}
    files = []
    for line in frozen["left_out"]:
        if line.startswith("the measurements of probe "):
            probe, _, steps = line.removeprefix("the measurements of probe ").partition(" at step ")
            probes[probe] = [int(step) for step in steps.split(",")] if steps else freeze.ALL_STEPS
        elif line.startswith("of the items of probe "):
            probe, _, names = line.removeprefix("of the items of probe ").partition(": ")
            columns[probe] = [] if names == "nothing" else names.split(", ")
        else:
            files.append(line)
    left_out = {"files": files, "measurements": probes, "item_columns": columns}
    write_yaml(folder.frozen, frozen | {"left_out": left_out})


def proven(series: Series, probe: str, rows: pd.DataFrame) -> Configuration:
    """The configuration that gives the old key of every checkpoint."""
    specification = registry.get(probe)
    settings = registry.settings_of(probe, series.manifest.probes[probe])
    data = json.loads(json.dumps(specification.load().inputs(settings, series)))
    if probe == "knowledge":
        data["training text"] = read_json(series.folder.corpus)["text_sha256"]
    data["precision"] = "bfloat16"
    keys = dict(rows[["step", "key"]].drop_duplicates().itertuples(index=False))
    checkpoints = {checkpoint.step: checkpoint for checkpoint in series.checkpoints}
    for tokenizer in TOKENIZERS:
        for version in VERSIONS.get(probe, (specification.version,)):
            configuration = Configuration(
                probe=probe,
                version=version,
                settings=settings.model_dump(mode="json", exclude={"every"}),
                data=data,
                tokenizer=tokenizer,
            )
            if all(old_key(configuration, checkpoints[step]) == key for step, key in keys.items()):
                return configuration
    raise SystemExit(f"{series.name}: the keys of probe {probe} do not come out")


def old_key(configuration: Configuration, checkpoint: Checkpoint) -> str:
    back = {new: old for old, new in SETTINGS.get(configuration.probe, {}).items()}
    sets = {
        # Files went by their bare names.
        name: {Path(file).name: value for file, value in value.items()} if isinstance(value, dict) else value
        for name, value in configuration.data.items()
    }
    return sha256_of(
        {
            "weights": checkpoint.sha256,
            "tokenizer": configuration.tokenizer,
            "data": sets if configuration.probe == "knowledge" else configuration.data,
            "settings": renamed(configuration.settings, back),
            "probe": configuration.probe,
            "version": configuration.version,
        }
    )


def new_rows(series: Series, configuration: Configuration, rows: pd.DataFrame) -> pd.DataFrame:
    excluded = rows["metric"].str.startswith("excluded: ")
    rows = rows.rename(columns={"item": "group"}).assign(reason=rows["metric"].str[10:].where(excluded))
    rows["metric"] = rows["metric"].mask(excluded, "excluded")
    keys = {checkpoint.step: configuration.key(checkpoint) for checkpoint in series.checkpoints}
    rows = rows[~rows["metric"].eq("applicable")].assign(key=rows["step"].map(keys))
    return rows[measurements.SCHEMA.names]


def new_items(items: pd.DataFrame | None) -> pd.DataFrame | None:
    if items is None:
        return None
    if items["tag"].str.fullmatch(r"seed \d+").all():
        return items.assign(seed=items["tag"].str[5:].astype("int64")).drop(columns="tag")
    return items.rename(columns={"tag": "group"})


if __name__ == "__main__":
    main()
