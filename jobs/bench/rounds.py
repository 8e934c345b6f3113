"""Collects the results of jobs/bench/rounds: rounds.py DIR writes DIR/rounds.json."""

import json
import sys
from pathlib import Path

home = Path(sys.argv[1])
result = {}
for kind in sorted({t.parent.parent for t in home.glob("*/seed-*/training.json")}):
    trainings = [json.loads(p.read_text()) for p in sorted(kind.glob("seed-*/training.json"))]
    validation = [t["losses"]["validation"] for t in trainings]
    rounds = kind / trainings[0]["name"] / "rounds.jsonl"
    result[kind.name] = {
        "accuracy": [v["accuracy"] for v in validation],
        "agreement": [v["agreement"] for v in validation],
        "validation loss": [v["loss"] for v in validation],
        "steps": trainings[0]["training"]["steps"],
        "rounds": len(rounds.read_text().splitlines()) if rounds.exists() else 0,
    }
(home / "rounds.json").write_text(json.dumps(result, indent=2) + "\n")
