"""The table of jobs/bench/rounds: rounds.py DIR."""

import json
import statistics
import sys
from pathlib import Path

home = Path(sys.argv[1])
result = {}
for evaluation in sorted(home.glob("*/evaluation.json")):
    kind = evaluation.parent.name
    trainings = [json.loads(p.read_text()) for p in sorted(evaluation.parent.glob("seed-*/training.json"))]
    models = {Path(m["path"]).name: m for m in json.loads(evaluation.read_text())["models"]}
    result[kind] = {
        "accuracy": [models[t["name"]]["metrics"]["accuracy"] for t in trainings],
        "agreement": [models[t["name"]].get("agreement") for t in trainings],
        "held-out loss": [t["losses"]["heldOut"]["loss"] for t in trainings],
        "steps": trainings[0]["steps"],
        "rounds": sum(1 for _ in (evaluation.parent / trainings[0]["name"] / "rounds.jsonl").open())
        if (evaluation.parent / trainings[0]["name"] / "rounds.jsonl").exists()
        else 0,
    }


def mean(values):
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0
    return f"{statistics.mean(values):8.3f} ± {error:.3f}"


print(f"{'':24}{'steps':>7}{'rounds':>7}  {'held-out loss':>18}  {'accuracy':>18}")
for kind, of in sorted(result.items(), key=lambda item: statistics.mean(item[1]["held-out loss"])):
    print(f"{kind:24}{of['steps']:7}{of['rounds']:7}  {mean(of['held-out loss']):>18}  {mean(of['accuracy']):>18}")
(home / "rounds.json").write_text(json.dumps(result, indent=2) + "\n")
