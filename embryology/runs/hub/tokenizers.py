"""The tokenizer of a series whose checkpoints have none of their own."""

from collections.abc import Iterable
from pathlib import Path

from embryology.errors import EmbryologyError
from embryology.runs import steps
from embryology.runs.checkpoints import CONFIG, TOKENIZER_FILES, Checkpoint
from embryology.runs.hub.descriptions import FORM
from embryology.runs.paths import HUB, RunFolder
from embryology.storage.files import written_whole


def keep(folder: RunFolder, made: Iterable[Checkpoint], place: str | None) -> None:
    """Copy a tokenizer into the folder of a series, unless that was done before.

    Args:
        folder: of the series.
        made: its checkpoints.
        place: a folder, or ``hub:OWNER/REPOSITORY``, perhaps with an ``@`` and a revision; None where none was named.

    Raises:
        EmbryologyError: the series has another one, or there is none at that place that can be loaded.
    """
    if place is None or (folder.tokenizer.is_dir() and steps.read(folder.root).tokenizer == place):
        return
    for owner in (*(checkpoint.location for checkpoint in made), folder.tokenizer):
        if any((owner / name).is_file() for name in TOKENIZER_FILES):
            raise EmbryologyError(f"{folder.name} has a tokenizer of its own, in {owner}; leave --tokenizer out")
    found = _of_repository(place) if place.startswith(HUB) else _of_folder(Path(place).expanduser())
    if not found.keys() & {*TOKENIZER_FILES}:
        raise EmbryologyError(f"there is no tokenizer at {place}; it would have one of {', '.join(TOKENIZER_FILES)}")
    with written_whole(folder.tokenizer) as temporary:
        temporary.mkdir()
        for name, content in found.items():
            (temporary / name).write_bytes(content)
        from transformers import AutoTokenizer  # late: seconds

        try:
            AutoTokenizer.from_pretrained(temporary, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # whatever it makes of files that are not what they seem
            raise EmbryologyError(f"{place} has no tokenizer that transformers can load") from error


def _of_folder(folder: Path) -> dict[str, bytes]:
    files = (folder / name for name in (CONFIG, *TOKENIZER_FILES))
    return {file.name: file.read_bytes() for file in files if file.is_file()}


def _of_repository(place: str) -> dict[str, bytes]:
    from embryology.runs.hub import client

    match = FORM.fullmatch(place)
    if match is None:
        raise EmbryologyError(f"{place!r} is no repository on the Hub, as {HUB}OWNER/NAME is")
    repository = f"{match['owner']}/{match['name']}" if match["owner"] else match["name"]
    commit, files = client.listing(repository, match["revisions"] or "main")
    return {name: client.read(repository, commit, name) for name in (CONFIG, *TOKENIZER_FILES) if name in files}
