"""Collects the results of jobs/bench/curve and plots them.

curve.py DIR              writes DIR/curve.json and DIR/curve.svg
curve.py curve.json SVG   plots an existing curve.json
"""

import json
import math
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

INTERMEDIATE = ["float32-stored", "float16-stored", "float16-derived", "int8-stored", "int8-derived"]
MASKED_LM = ["dense", "derived", "top-64", "top-8", "sampled-50"]


def mean(values):
    m = sum(values) / len(values)
    spread = math.sqrt(sum((v - m) ** 2 for v in values) / max(1, len(values) - 1))
    return {"mean": m, "standard-error": spread / math.sqrt(len(values)), "seeds": values}


def row(home, metrics, has_validation):
    cache = json.loads((home / "cache" / "cache.json").read_text())
    evaluation = json.loads((home / "evaluation.json").read_text())
    models = [m for m in evaluation["models"] if "/seed-" in m["path"]]
    result = {"targets": home.name, "bytes-per-token": cache["size"]["bytesPerToken"]}
    for metric in metrics:
        result[metric] = mean([m["metrics"][metric] for m in models])
    if has_validation:
        runs = sorted((home / "students").glob("seed-*/training.json"))
        losses = [json.loads(run.read_text())["losses"]["validation"] for run in runs]
        for term in losses[0]:
            result["validation " + term] = mean([loss[term] for loss in losses])
    return result


def collect(directory):
    def finished(names):
        return [directory / n for n in names if (directory / n / "evaluation.json").exists()]

    return {
        "intermediate": [row(home, ["accuracy", "agreement"], True) for home in finished(INTERMEDIATE)],
        "masked-lm": [row(home, ["agreement", "perplexity"], False) for home in finished(MASKED_LM)],
    }


def plot(curve, file):
    wanted = {"intermediate": ["validation loss", "accuracy"], "masked-lm": ["agreement", "perplexity"]}
    panels = [(rows, metric) for rows, metrics in wanted.items() for metric in metrics if curve[rows]]
    figure, axes = plt.subplots(len(panels) // 2, 2, figsize=(9, 1.6 * len(panels)), squeeze=False)
    for axis, (rows, metric) in zip(axes.flat, panels):
        for one in curve[rows]:
            x, value = one["bytes-per-token"], one[metric]
            axis.errorbar(x, value["mean"], yerr=value["standard-error"], fmt="o", capsize=3, markersize=4)
            axis.annotate(one["targets"], (x, value["mean"]), textcoords="offset points", xytext=(5, 5), fontsize=7)
        axis.set_xscale("log")
        axis.set_xlabel("bytes per token on disk")
        axis.set_ylabel(metric)
        axis.margins(x=0.2, y=0.2)
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


source = Path(sys.argv[1])
if source.is_dir():
    result = collect(source)
    (source / "curve.json").write_text(json.dumps(result, indent=2) + "\n")
    plot(result, source / "curve.svg")
else:
    plot(json.loads(source.read_text()), Path(sys.argv[2]))
