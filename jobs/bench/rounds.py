"""The table of jobs/bench/rounds: rounds.py DIR."""

import json
import statistics
import sys
from pathlib import Path

home = Path(sys.argv[1])
result = {}
for kind in sorted({t.parent.parent for t in home.glob("*/seed-*/training.json")}):
    trainings = [json.loads(p.read_text()) for p in sorted(kind.glob("seed-*/training.json"))]
    held_out = [t["losses"]["heldOut"] for t in trainings]
    rounds = kind / trainings[0]["name"] / "rounds.jsonl"
    result[kind.name] = {
        "accuracy": [h["accuracy"] for h in held_out],
        "agreement": [h["agreement"] for h in held_out],
        "held-out loss": [h["loss"] for h in held_out],
        "steps": trainings[0]["steps"],
        "rounds": len(rounds.read_text().splitlines()) if rounds.exists() else 0,
    }


def mean(values):
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0
    return f"{statistics.mean(values):8.3f} ± {error:.3f}"


print(f"{'':24}{'seeds':>6}{'steps':>7}{'rounds':>7}  {'held-out loss':>18}  {'accuracy':>18}")
for kind, of in sorted(result.items(), key=lambda item: statistics.mean(item[1]["held-out loss"])):
    print(f"{kind:24}{len(of['accuracy']):6}{of['steps']:7}{of['rounds']:7}  {mean(of['held-out loss']):>18}  {mean(of['accuracy']):>18}")
(home / "rounds.json").write_text(json.dumps(result, indent=2) + "\n")
