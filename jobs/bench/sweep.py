"""Collects the results of jobs/bench/sweep: sweep.py DIR writes DIR/result.json; exit code 1 if any weights differ."""

import hashlib
import json
import sys
from pathlib import Path

STUDENTS = 8


def sha256(file):
    return hashlib.sha256(file.read_bytes()).digest()


home = Path(sys.argv[1])
seconds = {f.stem: int(f.read_text()) / 1000 for f in home.glob("*.milliseconds")}
result = {"sweep": seconds["sweep"], "differ": []}
for threads in ("one", "two"):
    times = [s for name, s in seconds.items() if name.startswith(threads + "-")]
    result[threads] = {"seconds": times, "of eight": STUDENTS * sum(times) / len(times)}
    result[threads]["ratio"] = seconds["sweep"] / result[threads]["of eight"]
alone = sorted((home / "one").glob("*/model.safetensors"))
for weights in alone:
    if sha256(weights) != sha256(home / "students" / weights.parent.name / weights.name):
        result["differ"].append(weights.parent.name)
result["compared"] = len(alone)
(home / "result.json").write_text(json.dumps(result, indent=2) + "\n")
sys.exit(bool(result["differ"]))
