"""A study on SLURM: ten jobs of eight workers. Run it where `sbatch` works: python slurm.py study.toml

Needs dask-jobqueue, and the same nas-harness, plugins and data on every node. Killed or interrupted, the same command
goes on where it was.
"""

import sys

from dask_jobqueue import SLURMCluster

import harness

if __name__ == "__main__":
    with SLURMCluster(cores=8, processes=8, memory="32GB", walltime="08:00:00") as cluster:
        cluster.scale(jobs=10)
        cluster.wait_for_workers(8)  # however long the queue is
        harness.run_study(sys.argv[1], executor="dask", cluster=cluster.scheduler_address)
