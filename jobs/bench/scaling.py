"""Fits a cost model to the rounds measured by jobs/bench/scaling: scaling.py DIR writes DIR/scaling.json.

A round of W workers on N executors takes

    waves x steps x step       waves = ceil(W / N), with all executors computing
  + the driver's part          a constant, and a cost per MB of the model: broadcast, means, outer step
  + the workers' part          a constant, and a cost per MB: set-up, difference, its chunk of the sum

On one machine, the workers share the cores, so their part counts W / min(N, cores) times. On a cluster, each worker has its own
cores, and the network is added: the broadcast is pipelined (twice the model), all executors sum chunks of the differences (the
model, or W / N of it), and one model is sent to the driver. The checkpoint is written while the workers take the next round's
steps; here it shares their cores, so the measurements include it.
"""

import json
import math
import statistics
import sys
from pathlib import Path

WARM_UP = 4  # rounds left out: libtorch is loaded in the first, and Java compiles during the next ones

home = Path(sys.argv[1])


def start_times(events):
    """Returns the start of each round in seconds, from Spark's event log."""
    seconds = []
    for part in events.rglob("*"):
        if part.is_file() and not part.name.startswith((".", "appstatus")):
            for line in part.read_text().splitlines():
                event = json.loads(line)
                if event["Event"] == "SparkListenerJobStart" and ", round " in event["Properties"].get("spark.job.description", ""):
                    seconds.append(event["Submission Time"] / 1000)
    return sorted(seconds)


runs = []
for training in sorted(home.glob("*/student/training.json")):
    layers, width, workers, executors, again = training.parent.parent.name.split("-")
    began = start_times(home / f"{training.parent.parent.name}-events")
    rounds = [json.loads(l) for l in (training.parent / "rounds.jsonl").read_text().splitlines()]
    for round_, (begin, end) in zip(rounds, zip(began, began[1:])):
        round_["seconds"] = end - begin  # from the start of one round to the start of the next, so that the checkpoint is included
    rounds = rounds[WARM_UP:-1]
    megabytes = json.loads(training.read_text())["model"]["parameters"] * 4 / 1e6
    waves = math.ceil(int(workers) / int(executors))
    overhead = statistics.median(r["seconds"] - waves * r["computeSeconds"] for r in rounds)
    runs.append({"student": f"{layers} x {width}", "megabytes": megabytes, "workers": int(workers), "executors": int(executors), "waves": waves,
                 "compute": statistics.median(r["computeSeconds"] for r in rounds), "overhead": overhead,
                 "seconds": statistics.median(r["seconds"] for r in rounds)})

CORES = 2  # of the machine on which the rounds are measured


def features(run):
    shared = run["workers"] / min(run["executors"], CORES)
    return [1.0, run["megabytes"], shared, run["megabytes"] * shared]


def solve(rows, values):
    """Least squares by the normal equations. Costs cannot be negative: negative ones are set to 0 and the rest is fitted again."""
    names = list(range(len(rows[0])))
    while True:
        a = [[sum(r[i] * r[j] for r in rows) for j in names] for i in names]
        b = [sum(r[i] * v for r, v in zip(rows, values)) for i in names]
        for i in range(len(names)):
            pivot = a[i][i] or 1e-12
            for j in range(len(names)):
                if j != i:
                    factor = a[j][i] / pivot
                    a[j] = [x - factor * y for x, y in zip(a[j], a[i])]
                    b[j] -= factor * b[i]
        found = {n: b[i] / (a[i][i] or 1e-12) for i, n in enumerate(names)}
        worst = min(found, key=found.get)
        if found[worst] >= 0:
            return [found.get(n, 0.0) for n in range(len(rows[0]))]
        names.remove(worst)


sizes = sorted({r["megabytes"] for r in runs})
known = [r for r in runs if r["megabytes"] != sizes[len(sizes) // 2]]  # the middle one tests the model
# Relative errors are minimised, so that the largest student does not dominate the fit.
costs = solve([[f / r["overhead"] for f in features(r)] for r in known], [1.0] * len(known))
fixed, driver, set_up, worker = costs
for run in runs:
    run["predicted"] = sum(c * f for c, f in zip(costs, features(run)))

GBIT = {10: 0.8e3, 25: 2.0e3}  # MB/s of a node at 80 % of 10 and 25 Gbit/s
TASK = 0.002  # s of Spark's scheduler per task
clusters = []
for student, megabytes, step in (("4 x 312", 58.0, 0.131), ("6 x 768", 264.0, 0.33)):  # seconds per step of 32k tokens on one GPU: an assumption
    for gbit, speed in GBIT.items():
        for executors in (4, 16, 64, 256):
            network = (2 * megabytes + max(megabytes, executors * megabytes / min(64, executors)) + megabytes) / speed
            overhead = fixed + set_up + TASK * 2 * executors + megabytes * (driver + worker) + network
            row = {"student": student, "executors": executors, "gbit": gbit, "overhead": overhead}
            row |= {f"compute share at {h}": h * step / (h * step + overhead) for h in (50, 100, 500)}
            clusters.append(row)
(home / "scaling.json").write_text(json.dumps({"measured": runs, "seconds": {"driver": fixed, "driver a MB": driver, "worker": set_up, "worker a MB": worker}, "clusters": clusters}, indent=2) + "\n")
