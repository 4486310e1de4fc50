"""The probes by name. A new one is a file here and a name in this list."""

from embryology import presets
from embryology.errors import EmbryologyError
from embryology.probes import Probe
from embryology.probes.edges import EdgesProbe
from embryology.probes.finetune import FinetuneProbe
from embryology.probes.frozen import FrozenProbe
from embryology.probes.knowledge import KnowledgeProbe
from embryology.probes.tokens import TokensProbe
from embryology.runs.checkpoints import Series
from embryology.storage.files import read_yaml

PROBES: dict[str, Probe] = {
    probe.name: probe for probe in (TokensProbe(), EdgesProbe(), KnowledgeProbe(), FrozenProbe(), FinetuneProbe())
}
DEAR = ("edges", "finetune")
"""Those that take minutes a checkpoint, and are to be asked for where no preset does."""


def get(name: str) -> Probe:
    """The probe of that name.

    Raises:
        EmbryologyError: there is none.
    """
    if name not in PROBES:
        raise EmbryologyError(f"there is no probe {name!r}; choose one of {', '.join(PROBES)}")
    return PROBES[name]


def chosen_settings(series: Series, names: list[str] | None = None, preset: str | None = None) -> dict[str, dict]:
    """Settings by probe, as the run's preset gave them when it was trained.

    Args:
        series: whose run; settings are the defaults where it is a folder of checkpoints alone.
        names: of the probes; None takes those of the preset, and all but the dear ones where it has none.
        preset: whose settings are taken instead, by name or path.
    """
    manifest = series.folder.manifest
    if preset:
        recorded = presets.load(preset).probes
    else:
        recorded = read_yaml(manifest).get("probes", {}) if manifest.exists() else {}
    return {name: recorded.get(name, {}) for name in names or recorded or [name for name in PROBES if name not in DEAR]}
