"""The cost of a round, measured and foretold: scaling.py DIR, of jobs/bench/scaling.

A round of W workers on N executors lasts

    waves x steps x step                         waves = ceil(W / N), all executors computing
  + the driver's part                            fixed, and so much a MB of the model: broadcast, means, outer step
  + the workers' part                            fixed, and so much a MB: set-up, difference, its piece of the sum

On one machine the workers share the cores, so theirs counts W / min(N, cores) times. On a cluster each has its own, and
the network's part is added: the broadcast is pipelined (twice the model), the differences are summed in pieces by all
executors (the model, or W / N of it), and one model comes to the driver. The checkpoint is written while the workers
take the next round's steps; here it shares their cores, so it is in what is measured.
"""

import json
import math
import statistics
import sys
from pathlib import Path

WARM = 4  # rounds that are left out: the first load libtorch, and Java compiles for some more

home = Path(sys.argv[1])


def begins(events):
    """When each round began, in seconds, by Spark's event log."""
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
    began = begins(home / f"{training.parent.parent.name}-events")
    rounds = [json.loads(l) for l in (training.parent / "rounds.jsonl").read_text().splitlines()]
    for round_, (begin, end) in zip(rounds, zip(began, began[1:])):
        round_["seconds"] = end - begin  # from one round's begin to the next one's, so that the checkpoint is in it
    rounds = rounds[WARM:-1]
    megabytes = json.loads(training.read_text())["parameters"] * 4 / 1e6
    waves = math.ceil(int(workers) / int(executors))
    around = statistics.median(r["seconds"] - waves * r["computeSeconds"] for r in rounds)
    runs.append({"student": f"{layers} x {width}", "megabytes": megabytes, "workers": int(workers), "executors": int(executors), "waves": waves,
                 "compute": statistics.median(r["computeSeconds"] for r in rounds), "around": around,
                 "seconds": statistics.median(r["seconds"] for r in rounds)})

CORES = 2  # of the machine that measures


def features(run):
    shared = run["workers"] / min(run["executors"], CORES)
    return [1.0, run["megabytes"], shared, run["megabytes"] * shared]


def solve(rows, values):
    """Least squares by the normal equations, none below 0 (a cost is no gain)."""
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
known = [r for r in runs if r["megabytes"] != sizes[len(sizes) // 2]]  # the middle one is foretold
# Relative errors count, so that the largest student does not decide alone.
costs = solve([[f / r["around"] for f in features(r)] for r in known], [1.0] * len(known))
fixed, driver, set_up, worker = costs
for run in runs:
    run["foretold"] = sum(c * f for c, f in zip(costs, features(run)))

print(f"{'student':10}{'MB':>7}{'workers':>9}{'executors':>11}{'steps, s':>10}{'around, s':>11}{'foretold':>10}")
for run in runs:
    mark = "" if run in known else "   (not used for the fit)"
    print(f"{run['student']:10}{run['megabytes']:7.1f}{run['workers']:9}{run['executors']:11}{run['compute']:10.2f}{run['around']:11.2f}{run['foretold']:10.2f}{mark}")
print(f"\na round: {fixed:.2f} s and {1000 * driver:.1f} ms a MB at the driver, {set_up:.2f} s and {1000 * worker:.1f} ms a MB at each worker")

GBIT = {10: 0.8e3, 25: 2.0e3}  # MB/s that a node's network gives of 10 and 25 Gbit/s
TASK = 0.002  # s that Spark's scheduler takes for a task
clusters = []
for student, megabytes, step in (("4 x 312", 58.0, 0.131), ("6 x 768", 264.0, 0.33)):  # s a step: 32k tokens on one GPU
    for gbit, speed in GBIT.items():
        for executors in (4, 16, 64, 256):
            network = (2 * megabytes + max(megabytes, executors * megabytes / min(64, executors)) + megabytes) / speed
            around = fixed + set_up + TASK * 2 * executors + megabytes * (driver + worker) + network
            row = {"student": student, "executors": executors, "gbit": gbit, "around": around}
            row |= {f"busy at {h}": h * step / (h * step + around) for h in (50, 100, 500)}
            clusters.append(row)
print(f"\n{'student':10}{'executors':>11}{'Gbit/s':>8}{'around, s':>11}{'busy at 50':>12}{'100':>7}{'500':>7}")
for row in clusters:
    print(f"{row['student']:10}{row['executors']:11}{row['gbit']:8}{row['around']:11.1f}"
          f"{row['busy at 50']:12.0%}{row['busy at 100']:7.0%}{row['busy at 500']:7.0%}")
(home / "scaling.json").write_text(json.dumps({"measured": runs, "seconds": {"driver": fixed, "driver a MB": driver, "worker": set_up, "worker a MB": worker}, "clusters": clusters}, indent=2) + "\n")
