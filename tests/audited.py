"""Small series that were really trained, and how they are copied, spoilt and audited."""

import json
import shutil

import torch
from safetensors.torch import load_file, save_file
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from embryology.runs.audit.result import entries, examine
from embryology.runs.paths import RunFolder
from tests.training import SHORT, small_preset, train

MODEL = {"num_hidden_layers": 2, "hidden_size": 80, "intermediate_size": 96, "num_attention_heads": 2}
MODEL |= {"embedding_size": 80, "initializer_range": 0.08}
EVENLY, UNEVENLY = range(0, 61, 6), [0, 2, 4, 10, 14, 30, 36, 56, 60]
LATE = [46, 50, 52, 58]
"""Steps that no series lists."""
HEADS = {"albert": "predictions.dense.weight", "bert": "cls.predictions.transform.dense.weight"}
HEADS["neox"] = "embed_out.weight"


def make_trained(root):
    """Folders of checkpoints by name; ``other`` has another seed, and ``alike`` the same beginning."""

    def run(name, family="albert", steps=(*EVENLY, *LATE), rate=2e-3, **changes):
        optimizer = {
            "learning_rate": rate,
            "warmup_steps": 5,
            "weight_decay": 0.01,
            "betas": [0.9, 0.98],
            "max_grad_norm": 1.0,
        }
        changes |= {"model": MODEL | {"family": family}, "checkpoints": sorted(steps), "optimizer": optimizer}
        return train(small_preset(root, **SHORT, **changes), root / name).checkpoints

    folders = {"albert": run("albert"), "other": run("other", seed=1, steps=EVENLY)}
    folders["alike"] = run("alike", rate=1e-3, steps=EVENLY)
    folders["bert"] = run("bert", family="bert", steps=(*UNEVENLY, *LATE))
    folders["neox"] = with_a_restart(root / "neox")
    return folders


def with_a_restart(folder):
    """A causal model in two shards of bfloat16, whose optimizer loses its state after half of the steps."""
    torch.manual_seed(0)
    shape = {"hidden_size": 80, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}
    ends = {"bos_token_id": None, "eos_token_id": None}
    model = GPTNeoXForCausalLM(GPTNeoXConfig(**shape, **ends, vocab_size=300, max_position_embeddings=64))
    text = torch.randint(300, (300, 16)).cumsum(1) % 300
    for step in range(61):
        if step in (*EVENLY, *UNEVENLY, *LATE):
            place = folder / f"step-{step}"
            model.bfloat16().save_pretrained(place, max_shard_size="80KB")
            model.float()
            (place / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"a": 0, "b": 1}}}))
        if step % 30 == 0:
            optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
        pieces = text[torch.randint(len(text), (16,))]
        model(input_ids=pieces, labels=pieces).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return folder


def path_of(folder, step):
    return next(path for path in folder.glob("step-*") if int(path.name.removeprefix("step-")) == step)


def copied(source, to, steps):
    for step in steps:
        shutil.copytree(path_of(source, step), to / f"step-{step}")
    return to


def audited(*folders, whole=False):
    audits = examine({folder.name: entries(RunFolder(folder)) for folder in folders}, whole)
    return audits[0] if len(folders) == 1 else audits


def kinds(audit):
    """By kind of finding the steps that it names."""
    found = {}
    for each in audit.findings:
        found.setdefault(each.kind, set()).update(each.steps)
    return found


def put(folder, step, source, from_step):
    shutil.rmtree(folder / f"step-{step}")
    shutil.copytree(path_of(source, from_step), folder / f"step-{step}")


def weights_of(folder):
    return {file: load_file(file) for file in sorted(folder.glob("*.safetensors"))}


def changed(folder, change):
    """Write the tensors of a checkpoint again, ``change(name, tensor)`` of each."""
    for file, tensors in weights_of(folder).items():
        save_file({name: change(name, tensor) for name, tensor in tensors.items()}, file, {"format": "pt"})
