"""The same study here and on a real Slurm, undisturbed and disturbed: the same measurements, to the last bit."""

import os

import pytest

from embryology.study import description, plan
from tests.slurm import cluster as clusters
from tests.slurm import going

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(clusters.lacking()), reason=str(clusters.lacking())),
    pytest.mark.skipif(bool(going.lacking()), reason=str(going.lacking())),
]
UNTIL = os.environ.get("SLURM_UNTIL", "book")
"""``freeze`` leaves out the book, which takes minutes on a slow machine."""


@pytest.fixture(scope="module")
def cluster():
    with clusters.cluster() as running_one:
        yield running_one


def go(cluster, folder, *options):
    return going.snakemake(folder, "slurm", *options, until=UNTIL, environment=cluster.environment)


def queue(cluster):
    """(number, what, node, state) of each job that Slurm knows."""
    lines = cluster.run("squeue", "--noheader", "--states=all", "--format=%A|%k|%N|%T").splitlines()
    return [line.split("|") for line in lines]


def running_job(cluster, what):
    """The number and the node of a job that runs."""
    return next(
        ((number, node) for number, job, node, state in queue(cluster) if what in job and state == "RUNNING"), None
    )


def test_on_slurm_it_measures_what_it_measures_here(cluster, folder, here):
    described = description.load(going.write_study(folder))
    process = go(cluster, folder)
    assert process.wait(7200) == 0, (folder / "snakemake.log").read_text()[-3000:]
    going.assert_same(going.measured(described), here)
    jobs = going.begun(folder)
    assert len(jobs) == len({*jobs}) == 1 + 4 + 8 + 4 + (UNTIL == "book")
    assert {node for _, _, node, _ in queue(cluster)} >= {*clusters.NODES}
    assert (described.folder / "book" / "index.html").is_file() == (UNTIL == "book")
    again = go(cluster, folder)
    assert again.wait(300) == 0
    assert going.begun(folder) == jobs


def test_a_node_that_dies_a_limit_that_is_passed_and_a_job_that_is_cancelled_change_nothing(cluster, folder, here):
    limits = {kind: {"minutes": 1 if kind == "corpus" else 60, "memory_mb": 2000} for kind in description.KINDS}
    described = description.load(going.write_study(folder, resources=limits))
    hangs = next(iter(plan.make(described).jobs))
    assert hangs.startswith("corpus/")
    (folder / "hangs").write_text(f"{hangs}\n")
    process = go(cluster, folder)
    _, node = going.wait_for(lambda: running_job(cluster, "pretrain"), 900, process)
    cluster.kill_node(node)
    going.wait_for(lambda: not any(place == node for _, _, place, state in queue(cluster) if state == "RUNNING"), 120)
    cluster.start_node(node)
    number, _ = going.wait_for(lambda: running_job(cluster, "measure"), 1800, process)
    cluster.run("scancel", number)
    assert process.wait(3600) == 0, (folder / "snakemake.log").read_text()[-3000:]
    assert going.begun(folder).count(hangs) >= 2  # the first try passed its limit
    going.assert_same(going.measured(described), here)
    states = {number: state for number, *_, state in queue(cluster)}
    assert states[number] == "CANCELLED"


def test_a_partition_that_there_is_not_is_said_before_anything_is_submitted(cluster, folder):
    going.write_study(folder, resources={"measure": {"partition": "gpu"}})
    before = len(queue(cluster))
    process = go(cluster, folder)
    assert process.wait(120) != 0
    said = (folder / "snakemake.log").read_text()
    assert "the cluster has no partition gpu; it has main" in said
    assert "Traceback" not in said
    assert len(queue(cluster)) == before
