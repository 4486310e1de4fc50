"""Jobs of several machines write the measurements of one run at once: nothing is lost, and nothing there twice."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from embryology.probes.runner import run_probes
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.runs.verify import check
from embryology.specs import registry
from embryology.storage.files import PART
from tests.foreign import save_bert
from tests.processes import CONTEXT
from tests.study.conftest import TREEBANK

STEPS = (0, 100, 200, 300)
PROBES = ("tokens", "knowledge")


def probes(made):
    settings = {"tokens": {"treebank": str(made.parent / "treebank.conllu")}, "knowledge": {"facts": 5}}
    return {name: registry.settings_of(name, values) for name, values in settings.items()}


def measure(made, folder, number, together=None):
    """As one of several jobs: two checkpoints of both probes, of which other jobs measure some too."""
    only = {STEPS[number % 4], STEPS[(number + 1) % 4]}
    if together is not None:
        together.wait(120)
    run_probes(Series.open(folder), probes(made), threads=1, only=only)


def tables(folder):
    """The bytes of all files of a run's measurements, by their names."""
    place = folder / "measurements"
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    (folder / "treebank.conllu").write_text(TREEBANK)
    return save_bert(folder / "bert", STEPS)


@pytest.fixture(scope="module")
def alone(made, tmp_path_factory):
    """What one process measures."""
    folder = shutil.copytree(made, tmp_path_factory.mktemp("alone") / "bert")
    run_probes(Series.open(folder), probes(made), threads=1)
    left = tables(folder)
    assert len([name for name in left if name.startswith(PROBES) and "/items/" not in name]) == 8 + 2
    return left


def all_at_once(made, folders):
    together = CONTEXT.Barrier(len(folders))
    jobs = [
        CONTEXT.Process(target=measure, args=(made, *each, together)) for each in zip(folders, range(8), strict=True)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(300)
    assert [job.exitcode for job in jobs] == [0] * len(jobs)


def test_eight_processes_on_one_run_leave_what_one_leaves(made, alone, tmp_path):
    folder = shutil.copytree(made, tmp_path / "bert")
    all_at_once(made, [folder] * 8)
    assert tables(folder) == alone
    frame = measurements.read(Series.open(folder))
    assert not frame.duplicated(["probe", "step", "task", "group", "metric", "layer", "baseline"]).any()
    check(Series.open(folder).folder)
    assert not list(folder.rglob(".lock"))


def test_a_job_that_is_killed_while_it_writes_leaves_a_name_that_no_reader_sees(made, alone, tmp_path):
    folder = shutil.copytree(made, tmp_path / "bert")
    job = CONTEXT.Process(target=_dies_while_writing, args=(made, folder))
    job.start()
    job.join(120)
    assert job.exitcode == -signal.SIGKILL
    (left,) = folder.rglob(f".*{PART}")
    assert not list(folder.rglob("tokens/*/*.parquet"))
    run_probes(Series.open(folder), probes(made), threads=1)
    left.unlink()
    assert tables(folder) == alone


def _dies_while_writing(made, folder):
    os.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    measure(made, folder, 0)


@pytest.mark.long
def test_two_mounts_of_one_folder_that_each_keep_what_they_saw(made, alone, tmp_path):
    """Over sshfs on loopback with caching on, as two machines; half of eight processes on each.

    This shows that nothing depends on seeing at once what another machine wrote. What NFS does when a server or a
    client dies, and its own rules of caching, it does not show: the kernel here has no NFS.
    """
    if os.geteuid() or not Path("/dev/fuse").exists() or not all(map(shutil.which, ("sshfs", "ssh-keygen"))):
        pytest.skip("mounting over sshfs needs root, /dev/fuse, sshfs and openssh-server")
    if not Path("/usr/sbin/sshd").exists():
        pytest.skip("no sshd (Debian: openssh-server)")
    whole = tmp_path / "server"
    shutil.copytree(made, whole / "bert")
    server, port = _server(tmp_path)
    mounts = [tmp_path / "one", tmp_path / "two"]
    options = ["cache=yes", "dcache_timeout=600", "kernel_cache", "StrictHostKeyChecking=no"]
    options += [f"UserKnownHostsFile={tmp_path}/known", f"IdentityFile={tmp_path}/key"]
    try:
        for mount in mounts:
            mount.mkdir()
            chosen = [part for option in options for part in ("-o", option)]
            subprocess.run(["sshfs", f"root@127.0.0.1:{whole}", mount, "-p", str(port), *chosen], check=True)
        all_at_once(made, [mounts[number % 2] / "bert" for number in range(8)])
        assert tables(whole / "bert") == alone
    finally:
        for mount in mounts:
            subprocess.run(["fusermount", "-u", "-z", mount], check=False)
        server.terminate()
        server.wait(10)


def _server(folder):
    """An sshd of this test alone, which lets its key in; and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name in ("key", "host"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copyfile(folder / "key.pub", folder / "authorized")
    os.makedirs("/run/sshd", exist_ok=True)
    lines = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder}/host",
        f"AuthorizedKeysFile {folder}/authorized",
    ]
    lines += ["StrictModes no", "PermitRootLogin yes", "UsePAM no", f"PidFile {folder}/sshd.pid"]
    lines += ["Subsystem sftp internal-sftp"]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", folder / "sshd_config"])
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    return server, port
