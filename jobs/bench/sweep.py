"""The table of jobs/bench/sweep: sweep.py DIR."""

import hashlib
import json
import sys
from pathlib import Path

STUDENTS = 8


def table(out):
    seconds = {f.stem: int(f.read_text()) / 1000 for f in out.glob("*.milliseconds")}
    result = {"sweep": seconds["sweep"], "differ": []}
    for threads in ("one", "two"):
        times = [s for name, s in seconds.items() if name.startswith(threads + "-")]
        result[threads] = {"seconds": times, "of eight": STUDENTS * sum(times) / len(times)}
        result[threads]["ratio"] = seconds["sweep"] / result[threads]["of eight"]
    for student in sorted((out / "one").glob("*/model.safetensors")):
        twin = out / "students" / student.parent.name / "model.safetensors"
        if hashlib.sha256(student.read_bytes()).digest() != hashlib.sha256(twin.read_bytes()).digest():
            result["differ"].append(student.parent.name)
    result["compared"] = len(list((out / "one").glob("*/model.safetensors")))
    (out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(f"sweep of {STUDENTS}: {result['sweep']:.0f} s")
    for threads in ("one", "two"):
        of = result[threads]
        print(f"train, threads: {threads}: {of['of eight']:.0f} s (of {len(of['seconds'])} measured); sweep / train: {of['ratio']:.2f}")
    print(f"weights: {result['compared']} compared, {len(result['differ'])} differ")
    sys.exit(bool(result["differ"]))


table(Path(sys.argv[1]))
