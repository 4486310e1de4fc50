"""A real Slurm with two virtual nodes on this host: Debian's `slurm-wlm` and `munge`, on loopback.

    python -m tests.slurm.cluster COMMAND…    runs a command with SLURM_CONF set, and stops the cluster after it

`slurmd -N` runs twice on one host with a port each. There is no accounting (`slurmdbd`), and jobs are followed by their
processes (`proctrack/linuxproc`, `task/none`), as a container has no cgroups to give away. It needs root.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "sinfo", "scancel", "scontrol")
NODES = ("node1", "node2")
CONFIGURATION = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge.socket
CredType=cred/munge
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool-%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=7200
ReturnToService=2
KillWait=10
SlurmdTimeout=20
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def lacking() -> str | None:
    """Why there can be no cluster here, as a clause; None where there can."""
    missing = [name for name in PROGRAMS if not _program(name)]
    if missing:
        return f"{', '.join(missing)} not installed (Debian: slurm-wlm, munge)"
    return None if os.geteuid() == 0 else "Slurm's daemons need root"


@dataclass
class Cluster:
    root: Path
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)
    """By name, ``munged``, ``slurmctld`` and the nodes; those of this cluster alone are ever ended."""

    def run(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def start(self, name: str, *command: str) -> None:
        with open(self.root / f"{name}.out", "ab") as stream:
            self.processes[name] = subprocess.Popen(
                command, env=self.environment, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
            )

    def start_node(self, name: str) -> None:
        self.start(name, _program("slurmd"), "-D", "-N", name)

    def kill_node(self, name: str) -> None:
        """As if its power were cut: its daemon and all that runs on it."""
        jobs = self.run("squeue", "--noheader", "--format=%A", f"--nodelist={name}").split()
        daemon = self.processes.pop(name)
        daemon.kill()
        for process in self._processes_on(name, jobs):
            with suppress(ProcessLookupError):
                os.kill(process, 9)
        daemon.wait()

    def _processes_on(self, node: str, jobs: list[str]) -> Iterator[int]:
        """Those of this cluster's jobs on a node: ``slurmstepd: [JOB.STEP]``, and what that runs."""
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                environment = (place / "environ").read_bytes().split(b"\0")
                said = (place / "cmdline").read_bytes().decode(errors="replace")
                if f"SLURM_CONF={self.environment['SLURM_CONF']}".encode() in environment and (
                    f"SLURMD_NODENAME={node}".encode() in environment
                    or any(said.startswith(f"slurmstepd: [{job}.") for job in jobs)
                ):
                    yield int(place.name)

    def wait_idle(self, nodes: int, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            states = subprocess.run(
                ["sinfo", "--noheader", "--Node", "--format=%T"], env=self.environment, capture_output=True, text=True
            ).stdout.split()
            if sum(state in ("idle", "mixed", "allocated") for state in states) >= nodes:
                return
            time.sleep(0.5)
        raise RuntimeError(f"the nodes did not come up: {states}; see {self.root}")

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def cluster(cpus: int = 2, memory_mb: int = 16000) -> Iterator[Cluster]:
    """Two nodes with so many processors and so much memory each, whatever this host has."""
    root = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    ports = _free_ports(1 + len(NODES))
    host = socket.gethostname()
    shape = f"NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_mb} State=UNKNOWN"
    lines = [f"NodeName={name} Port={port} {shape}" for name, port in zip(NODES, ports[1:], strict=True)]
    (root / "slurm.conf").write_text(CONFIGURATION.format(host=host, ports=ports, root=root, nodes="\n".join(lines)))
    (root / "state").mkdir()
    key = root / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    # Within a job Snakemake takes all that is called SLURM_ out of the environment, so that `srun` is told again.
    (root / "bin").mkdir()
    (root / "bin" / "srun").write_text(f'#!/bin/sh\nSLURM_CONF={root}/slurm.conf exec {_program("srun")} "$@"\n')
    (root / "bin" / "srun").chmod(0o755)
    path = f"{root / 'bin'}:{os.environ['PATH']}"
    environment = {**os.environ, "SLURM_CONF": str(root / "slurm.conf"), "PATH": path}
    made = Cluster(root, environment)
    try:
        places = {"key-file": key, "socket": root / "munge.socket", "pid-file": root / "munged.pid"}
        places |= {"log-file": root / "munged.log", "seed-file": root / "munged.seed"}
        options = [f"--{name}={place}" for name, place in places.items()]
        made.start("munged", _program("munged"), "--foreground", "--force", *options)
        end = time.monotonic() + 20
        while not (root / "munge.socket").exists() and time.monotonic() < end:
            time.sleep(0.1)
        made.start("slurmctld", _program("slurmctld"), "-D")
        for name in NODES:
            made.start_node(name)
        made.wait_idle(len(NODES))
        yield made
    finally:
        made.stop()
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    if reason := lacking():
        sys.exit(f"no cluster here: {reason}")
    with cluster() as running:
        sys.exit(subprocess.run(sys.argv[1:], env=running.environment).returncode)
