"""Which settings are in the name of an outcome, and which are not."""

from embryology import presets
from embryology.presets import others

COVERS = ("embryology/presets/others.py",)

EVERYTHING = {
    "name": "everything",
    "outcome": {
        "corpus": {"source": "text", "path": "text.txt", "leave_out": ["ewt"], "every": 2},
        "tokenizer": {
            "vocab_size": 500,
            "lower_case": False,
            "strip_accents": False,
            "learns_from": [{"source": "text", "path": "more.txt"}],
        },
        "model": {
            "family": "electra",
            "num_hidden_layers": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_attention_heads": 2,
            "embedding_size": 16,
            "initializer_range": 0.1,
            "dropout": 0.2,
            "generator_size": 0.5,
        },
        "objective": {
            "mlm_probability": 0.2,
            "max_ngram": 2,
            "whole_word_mask": False,
            "mask_replace_prob": 0.7,
            "random_replace_prob": 0.2,
            "pair": "none",
            "pair_weight": 0,
            "rtd_weight": 5,
        },
        "optimizer": {
            "name": "lamb",
            "learning_rate": 0.1,
            "warmup_steps": 5,
            "weight_decay": 0.3,
            "betas": [0.8, 0.9],
            "epsilon": 1e-4,
            "max_grad_norm": 2.0,
        },
        "steps": 40,
        "batch_size": 8,
        "sequence_length": 32,
        "phases": [
            {"steps": 30, "rate": "constant", "learning_rate": 0.2},
            {
                "steps": 10,
                "corpus": {"source": "text", "path": "text.txt", "leave_out": ["ewt"], "every": 2},
                "objective": {
                    "mlm_probability": 0.3,
                    "max_ngram": 1,
                    "whole_word_mask": True,
                    "mask_replace_prob": 0.6,
                    "random_replace_prob": 0.3,
                    "pair": "none",
                    "pair_weight": 0,
                    "rtd_weight": 5,
                },
                "rate": "decay",
                "learning_rate": 0.3,
                "warmup_steps": 2,
                "batch_size": 4,
                "sequence_length": 48,
            },
        ],
        "replaced": {3: 4},
        "held_out_sequences": 64,
        "checkpoints": [0, 20, 40],
        "evaluate_every": 10,
        "seed": 7,
    },
    "probes": {"tokens": {"sentences": 40}},
    "speed": {
        "threads": 3,
        "precision": "float32",
        "compile": True,
        "gradient_accumulation_steps": 2,
        "workers": 1,
        "resume_every": 5,
        "keep_states": [20],
    },
    "starts_from": {"run": "other-seed{seed}", "step": 20},
}
"""A value for every setting, none of them its default."""
OTHER_WORDS = {
    "text": "bundled",
    "electra": "bert",
    "none": "sop",
    "lamb": "adamw",
    "float32": "bfloat16",
    "decay": "constant",
}


def settings_of(section, path=()):
    """Every setting below a section with the path to it; of several sections those of the last."""
    for name, value in section:
        if isinstance(value, presets.Section):
            yield from settings_of(value, (*path, name))
        elif value and isinstance(value, tuple) and isinstance(value[-1], presets.Section):
            yield from settings_of(value[-1], (*path, name, len(value) - 1))
        else:
            yield (*path, name), value


def with_setting(section, path, value):
    """Nothing is checked: what settings go together is no matter of names."""
    name, *rest = path
    if isinstance(section, tuple):
        return (*section[:name], with_setting(section[name], rest, value), *section[name + 1 :])
    return section.model_copy(update={name: with_setting(getattr(section, name), rest, value) if rest else value})


def other(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, dict):
        return {key: number + 1 for key, number in value.items()}
    if value == ():
        return ("x",)
    if isinstance(value, list | tuple):
        return type(value)([*value[:-1], f"{value[-1]}x" if isinstance(value[-1], str) else value[-1] + 1])
    return OTHER_WORDS.get(value, f"{value}x") if isinstance(value, str) else value + 1


SECTIONS = {
    "mixture": (presets.Part(weight=2),),
    "grown_from": others.GrownFrom(run="other", step=20),
    "order": others.Order(by="length"),
    "typing": presets.Typing(),
}
"""Of settings that are sections, and are not there by default."""
OF_SECTIONS = (
    ("grown_from", {"run": "another"}),
    ("grown_from", {"step": 21}),
    ("grown_from", {"by": "aki"}),
    ("grown_from", {"split": "uneven"}),
    ("order", {"by": "rarity"}),
    ("order", {"reversed": True}),
    ("order", {"teacher": others.StartsFrom(run="other", step=20)}),
    ("order", {"teacher": others.StartsFrom(run="other", step=21)}),
    ("order", {"teacher": others.StartsFrom(run="another", step=20)}),
)


def test_settings_of_sections_that_name_other_runs_are_in_the_name_too():
    preset = presets.validated(EVERYTHING, "everything.yaml")
    seen = [
        with_setting(preset, ("outcome", name), section).outcome_sha256
        for name, section in (
            *((name, SECTIONS[name]) for name in ("grown_from", "order")),
            *((name, SECTIONS[name].model_copy(update=changes)) for name, changes in OF_SECTIONS),
        )
    ]
    assert len({*seen, preset.outcome_sha256}) == 3 + len(OF_SECTIONS)


def test_settings_of_latent_types_are_in_the_name_and_their_defaults_stay():
    preset, path = presets.validated(EVERYTHING, "everything.yaml"), ("outcome", "objective", "typing")
    defaults = {"types": 63, "reconstruction_weight": 0.05, "sparsity_weight": 0.05, "diversity_weight": 0.1}
    defaults |= {"temperature": 0.5}
    assert presets.Typing().model_dump() == defaults
    typings = [presets.Typing(), *(presets.Typing(**{name: value + 1}) for name, value in defaults.items())]
    seen = {preset.outcome_sha256, *(with_setting(preset, path, typing).outcome_sha256 for typing in typings)}
    assert len(seen) == 2 + len(defaults)


def test_every_setting_of_the_outcome_is_in_its_name_and_no_other():
    preset = presets.validated(EVERYTHING, "everything.yaml")
    seen = {"nothing": preset.outcome_sha256}
    for path, value in settings_of(preset.outcome, ("outcome",)):
        changed_value = SECTIONS[path[-1]] if path[-1] in SECTIONS else other(value)
        seen[".".join(map(str, path))] = with_setting(preset, path, changed_value).outcome_sha256
    assert len(seen) == 1 + 66
    assert len(set(seen.values())) == len(seen)
    assert preset.with_seed(8).outcome_sha256 == seen["outcome.seed"]
    assert preset.with_seed(8).outcome.seed == 8
    paths = [
        ("name",),
        ("probes",),
        ("starts_from", "run"),
        *(path for path, _ in settings_of(preset.speed, ("speed",))),
    ]
    values = ["mine", {}, "another", *(other(value) for _, value in settings_of(preset.speed))]
    for path, value in zip(paths, values, strict=True):
        assert with_setting(preset, path, value).outcome_sha256 == seen["nothing"], path
    assert len(paths) == 10


def test_another_version_of_training_is_another_outcome(monkeypatch):
    before = presets.load("tiny").outcome_sha256
    monkeypatch.setattr(presets, "VERSION", presets.VERSION + 1)
    assert presets.load("tiny").outcome_sha256 != before


def test_defaults_are_those_that_runs_were_named_with():
    """They are in no hash: were one changed, a name would mean something else than it did."""
    needed = {
        "corpus": {},
        "tokenizer": {"vocab_size": 500},
        "model": dict.fromkeys(("num_hidden_layers", "hidden_size", "intermediate_size", "embedding_size"), 32)
        | {"num_attention_heads": 2, "initializer_range": 0.1},
        "objective": {"mlm_probability": 0.2, "max_ngram": 2, "pair_weight": 1},
        "optimizer": {
            key: EVERYTHING["outcome"]["optimizer"][key]
            for key in ("learning_rate", "warmup_steps", "weight_decay", "betas", "max_grad_norm")
        },
        **{
            key: EVERYTHING["outcome"][key]
            for key in ("steps", "batch_size", "sequence_length", "held_out_sequences", "checkpoints")
        },
    }
    preset = presets.validated({"name": "least", "outcome": needed}, "least.yaml")
    found = {".".join(path): value for path, value in settings_of(preset.outcome)}
    defaults = {
        "corpus.source": "bundled",
        "corpus.path": None,
        "corpus.leave_out": (),
        "corpus.every": 1,
        "tokenizer.lower_case": True,
        "tokenizer.strip_accents": True,
        "tokenizer.learns_from": (),
        "model.family": "albert",
        "model.dropout": 0.0,
        "model.generator_size": None,
        "objective.whole_word_mask": True,
        "objective.mask_replace_prob": 0.8,
        "objective.random_replace_prob": 0.1,
        "objective.pair": "sop",
        "objective.rtd_weight": 0.0,
        "objective.typing": None,
        "optimizer.name": "adamw",
        "optimizer.epsilon": 1e-8,
        "phases": (),
        "evaluate_every": None,
        "replaced": {},
        "grown_from": None,
        "order": None,
        "seed": 0,
    }
    assert {key: value for key, value in found.items() if key in defaults} == defaults
    told = {f"{name}.{key}" for name, value in needed.items() if isinstance(value, dict) for key in value}
    assert set(found) == defaults.keys() | told | {
        name for name, value in needed.items() if not isinstance(value, dict)
    }
    assert preset.speed == presets.Speed(
        threads=2,
        precision="auto",
        compile=False,
        gradient_accumulation_steps=1,
        workers=0,
        resume_every=250,
        keep_states=(),
    )


def test_a_model_reads_its_longest_sequences():
    preset = presets.validated(EVERYTHING, "everything.yaml")
    assert preset.outcome.longest == 48
    assert with_setting(preset, ("outcome", "phases"), ()).outcome.longest == 32
