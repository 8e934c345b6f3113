"""Gathers what jobs/bench/curve left into curve.json, a table and a plot."""

import json
import math
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

directory = Path(sys.argv[1])
INTERMEDIATE = ["float32-stored", "float16-stored", "float16-derived", "int8-stored", "int8-derived"]
MASKED_LM = ["dense", "derived", "top-64", "top-8", "sampled-50"]


def mean(values):
    m = sum(values) / len(values)
    spread = math.sqrt(sum((v - m) ** 2 for v in values) / max(1, len(values) - 1))
    return {"mean": m, "standard-error": spread / math.sqrt(len(values)), "seeds": values}


def row(name, metrics, held_out):
    home = directory / name
    cache = json.loads((home / "cache" / "cache.json").read_text())
    evaluation = json.loads((home / "evaluation.json").read_text())
    models = [m for m in evaluation["models"] if "/seed-" in m["path"]]
    result = {"targets": name, "bytes-per-token": cache["bytesPerToken"]}
    for metric in metrics:
        result[metric] = mean([m["metrics"][metric] for m in models])
    if held_out:
        runs = sorted((home / "students").glob("seed-*/training.json"))
        losses = [json.loads(run.read_text())["losses"]["heldOut"] for run in runs]
        for term in losses[0]:
            result["held-out " + term] = mean([loss[term] for loss in losses])
    return result


done = lambda names: [n for n in names if (directory / n / "evaluation.json").exists()]
curve = {
    "intermediate": [row(n, ["accuracy", "agreement"], True) for n in done(INTERMEDIATE)],
    "masked-lm": [row(n, ["agreement", "perplexity"], False) for n in done(MASKED_LM)],
}
(directory / "curve.json").write_text(json.dumps(curve, indent=2) + "\n")

panels = [
    (rows, metric)
    for rows, metrics in {"intermediate": ["held-out loss", "accuracy"], "masked-lm": ["agreement", "perplexity"]}.items()
    for metric in metrics
    if curve[rows]
]
figure, axes = plt.subplots(len(panels) // 2, 2, figsize=(9, 1.6 * len(panels)), squeeze=False)
for axis, (rows, metric) in zip(axes.flat, panels):
    for one in curve[rows]:
        value = one[metric]
        axis.errorbar(
            one["bytes-per-token"], value["mean"], yerr=value["standard-error"], fmt="o", capsize=3, markersize=4
        )
        axis.annotate(
            one["targets"],
            (one["bytes-per-token"], value["mean"]),
            textcoords="offset points",
            xytext=(5, 5),
            fontsize=7,
        )
    axis.set_xscale("log")
    axis.set_xlabel("bytes a token, on disk")
    axis.set_ylabel(metric)
    axis.margins(x=0.2, y=0.2)
    axis.grid(alpha=0.3)
figure.tight_layout()
figure.savefig(directory / "curve.svg", metadata={"Date": None})

for rows in curve.values():
    for one in rows:
        cells = [
            "%s %.4f ± %.4f" % (k, v["mean"], v["standard-error"]) for k, v in one.items() if isinstance(v, dict)
        ]
        print("%-16s %8.0f bytes a token  %s" % (one["targets"], one["bytes-per-token"], "  ".join(cells)))
