"""Whether a probe asks in the language that a model was trained on."""

from embryology.runs.measurements import Configuration
from embryology.runs.series import Series
from embryology.specs import registry
from embryology.storage.files import read_json


def misfit(series: Series, configuration: Configuration) -> str | None:
    """Why the data of a probe do not fit what a series was trained on, as a clause; None where they do.

    Of checkpoints made by others it is not known, and None.
    """
    record = read_json(series.folder.corpus) if series.folder.corpus.is_file() else {}
    texts = [text["languages"] for text in (record, *record.get("others", ())) if text.get("languages")]
    asked = _languages(configuration)
    if not texts or all(any(shares.get(language, 0) >= 0.5 for shares in texts) for language in asked):
        return None
    listed = " and ".join(", ".join(f"{name} {share:.0%}" for name, share in shares.items()) for shares in texts)
    return (
        f"probe {configuration.probe} asks in {' and '.join(asked)}, and the training text is {listed}: its numbers "
        "say little"
    )


def _languages(configuration: Configuration) -> list[str]:
    """Those of a probe's data: what is recorded of each part of them, else that of all data of the probe."""
    data = configuration.data or {}
    parts = [part for part in (data, *data.values()) if isinstance(part, dict)]
    recorded = {part["language"] for part in parts if part.get("language")}
    return sorted(recorded or {registry.get(configuration.probe).language} - {None})
