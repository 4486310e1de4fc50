"""What is wrong with a series by names, sizes and hashes, by its small files, and by the headers of its weights."""

import itertools
import json
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from typing import Any

from embryology.errors import EmbryologyError
from embryology.runs.audit.grid import missing_steps, uneven
from embryology.runs.audit.observed import Finding, Observed, finding, odd, trouble
from embryology.storage.files import sha256_of

CONFIG = "config.json"
BOOKKEEPING = {"transformers_version", "torch_dtype", "dtype", "use_cache"}
"""Keys of a configuration that say how it was saved or is used, not which model it is; also those with _ in front."""
TOKENIZER = "tokenizer.json"
TOKENIZER_PARTS = ("model", "added_tokens", "normalizer", "pre_tokenizer")
"""Of that file, what decides into which pieces text is cut; the rest is how it was called last."""
VOCABULARIES = ("spiece.model", "tokenizer.model", "vocab.txt", "vocab.json", "merges.txt")
TOKENIZER_CONFIG = "tokenizer_config.json"
TOKENIZER_KEYS = (
    *("do_lower_case", "strip_accents", "keep_accents", "tokenize_chinese_chars", "add_prefix_space"),
    *("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"),
)
SIZES_ALIKE = 0.02
"""By how much the files of one model may differ, of pickles that cannot be looked into."""


def of_names(series: Sequence[Observed], steps: Collection[int]) -> Iterator[Finding]:
    """Steps that are there twice or not at all, and weights of another size.

    Args:
        series: by rising step.
        steps: of these, and of others that are known to be there, but could not be listed or were left out.
    """
    for _, group in itertools.groupby(series, key=lambda each: each.step):
        twice = list(group)
        if len(twice) > 1:
            yield finding("repeated step", twice, f"is there {len(twice)} times: {', '.join(e.name for e in twice)}")
    if missing := missing_steps(sorted(set(steps))):
        about = f"{', '.join(f'{step:,}' for step in missing)}: missing, as the spacing of the others tells"
        yield Finding(kind="missing step", steps=tuple(missing), says=f"step{'s' * (len(missing) > 1)} {about}")
    unread = [each for each in series if each.tensors is None and "".join(each.weights).endswith(".bin")]
    sizes = {each: sum(each.contents.files[name].size for name in each.weights) for each in unread}
    usual, others = odd(sizes)
    for size, which in others.items():
        if usual and abs(size / usual - 1) > SIZES_ALIKE:
            says = f"weights of {size:,} bytes, where others have {usual:,}: truncated, or of another dtype or shape"
            yield finding("another size", which, says)


def of_spacing(steps: Collection[int]) -> list[str]:
    """Where it cannot be told whether a step is missing."""
    pairs = [f"{before:,} and {after:,}" for before, after in uneven(sorted(set(steps)))]
    if not pairs or len(steps) == 1:
        return []
    return [f"whether a step is missing between {_some(pairs)}: the spacing is uneven there"]


def of_tensors(series: Sequence[Observed]) -> Iterator[Finding]:
    """Other tensors or dtypes at some checkpoints, as headers say."""
    read = [each for each in series if each.tensors is not None]
    usual, others = odd({each: shapes(each) for each in read})
    for those, which in others.items():
        lacking, more = sorted(set(usual or ()) - set(those)), sorted(set(those) - set(usual or ()))
        parts = [f"{word} {_some(names)}" for word, names in (("lacks", lacking), ("has", more)) if names]
        yield finding("other tensors", which, f"{' and '.join(parts)}, unlike the others")
    names = set.intersection(*(set(each.tensors or ()) for each in read)) if read else set()
    dtypes = {each: tuple(sorted((name, (each.tensors or {})[name].dtype) for name in names)) for each in read}
    common, changed = odd(dtypes)
    for those_dtypes, which in changed.items():
        now, before = (sorted({dtype for _, dtype in each}) for each in (those_dtypes, common or ()))
        what = f"{' and '.join(now)} where others are {' and '.join(before)}"
        if now == before:
            tensor = next(
                name for (name, one), (_, other) in zip(those_dtypes, common or (), strict=True) if one != other
            )
            what = f"some tensors have another one than elsewhere ({tensor})"
        yield finding("another dtype", which, f"weights are {what}" if now != before else what)


def shapes(observed: Observed) -> tuple[str, ...]:
    """The names of a checkpoint's tensors with their shapes."""
    return tuple(sorted(f"{name} {list(each.shape)}" for name, each in (observed.tensors or {}).items()))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def of_small_files(series: Sequence[Observed]) -> Iterator[Finding]:
    """Another configuration or tokenizer at some checkpoints, or none where most have one."""
    for kind, names in (("configuration", [CONFIG]), ("tokenizer", [TOKENIZER, *VOCABULARIES])):
        without = [each for each in series if not each.contents.files.keys() & set(names)]
        if 0 < len(without) < len(series) / 2:
            yield finding(f"no {kind}", without, f"has no {' or '.join(names)}, which most others have")
    read: dict[str, Callable[[bytes], dict[str, Hashable]]] = {
        CONFIG: _configuration,
        TOKENIZER: _tokenizer,
        TOKENIZER_CONFIG: _tokenizer_configuration,
        **dict.fromkeys(VOCABULARIES, _bytes),
    }
    for name, content_of in read.items():
        kind = f"another {'configuration' if name == CONFIG else 'tokenizer'}"
        values, problems = _values(series, name, content_of)
        yield from problems
        for key in sorted(set().union(*values.values())):
            # Versions of a library differ in which defaults they write down.
            usual, others = odd({each: value[key] for each, value in values.items() if key in value})
            for other, which in others.items():
                detail = f"{key} is {_short(other)}, where others have {_short(usual)}" if key else "is another one"
                yield finding(kind, which, f"{name}: {detail}")


def _values(
    series: Sequence[Observed], name: str, content_of: Callable[[bytes], dict[str, Hashable]]
) -> tuple[dict[Observed, dict[str, Hashable]], list[Finding]]:
    """What a file says at each checkpoint; of files with one hash one is read, and none where all have it."""
    having = [each for each in series if name in each.contents.files]
    identities = {each.contents.files[name].identity for each in having}
    if len(identities) == 1 and None not in identities:
        return {}, []
    known: dict[str, dict[str, Hashable]] = {}
    values, problems = {}, []
    for each in having:
        identity = each.contents.files[name].identity
        try:
            value = known.get(identity or "") or content_of(each.contents.read(name))
        except (ValueError, TypeError, KeyError, AttributeError):
            problems.append(finding("damaged", [each], f"{name} is not what its name says"))
        except (EmbryologyError, OSError) as error:
            problems += trouble(each, error)
        else:
            values[each] = value
            if identity:
                known[identity] = value
    return values, problems


def _bytes(content: bytes) -> dict[str, Hashable]:
    return {"": sha256_of(content.hex())}


def _configuration(content: bytes) -> dict[str, Hashable]:
    return {
        key: _hashable(value) for key, value in json.loads(content).items() if key[:1] != "_" and key not in BOOKKEEPING
    }


def _tokenizer(content: bytes) -> dict[str, Hashable]:
    whole: dict[str, Any] = json.loads(content)
    model = whole["model"]
    if "merges" in model:  # a pair is one string or two, by the version that saved it
        model["merges"] = [each if isinstance(each, str) else " ".join(each) for each in model["merges"]]
    return {"": sha256_of([whole.get(part) for part in TOKENIZER_PARTS])}


def _tokenizer_configuration(content: bytes) -> dict[str, Hashable]:
    whole = json.loads(content)
    return {
        key: _hashable(whole[key]["content"] if isinstance(whole[key], dict) else whole[key])
        for key in TOKENIZER_KEYS
        if whole.get(key) is not None
    }


def _hashable(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
