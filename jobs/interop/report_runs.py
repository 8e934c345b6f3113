"""Writes records of invented runs, for the checks of reports: 200 students, names with markup, a training that is not finished."""

import json
import math
import pathlib
import random
import sys

TERMS = ("soft-label", "hidden-mse", "attention-mse")


def step(number, rng, scale):
    decay = scale * math.exp(-number / 150) + 0.1 * scale
    terms = {term: decay * (index + 1) * rng.uniform(0.9, 1.1) for index, term in enumerate(TERMS)}
    return {
        "step": number,
        "loss": sum(terms.values()),
        **terms,
        "learning-rate": 5e-4 * min(1, number / 40) * (1 - number / 640),
        "gradient-norm": rng.uniform(0.5, 3),
        "tokens": 3000,
        "tokens-seen": 3000 * number,
        "seconds": rng.uniform(0.9, 1.1),
        "wait-seconds": rng.uniform(0, 0.02),
    }


def student(directory, name, accuracy, parameters, rng):
    home = directory / name
    home.mkdir(parents=True)
    steps = [step(number, rng, 1 + accuracy) for number in range(1, 601)]
    home.joinpath("metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in steps))
    first = {term: steps[0][term] for term in TERMS}
    last = {term: steps[-1][term] for term in TERMS}
    record = {
        "name": name,
        "directory": f"file:{home}",
        "fingerprint": "0" * 64,
        "model": {"parameters": parameters},
        "training": {"steps": 600},
        "losses": {"first": first, "last": last, "validation": {"loss": 1 - accuracy, "accuracy": accuracy}},
        "speed": {"seconds": 600.0, "tokensPerSecond": 3000.0, "waitShare": 0.01, "threads": 2},
    }
    home.joinpath("training.json").write_text(json.dumps(record))
    return record


def evaluation(records):
    models = [model("teacher", 0.93, 109_000_000)]
    models += [model(each["name"], each["losses"]["validation"]["accuracy"], each["model"]["parameters"]) for each in records]
    speed = [
        {"model": each["name"], "parameters": each["parameters"], "device": "cpu", "threads": 1, "passes": passes(each["parameters"])}
        for each in models
    ]
    return {
        "models": models,
        "groups": [{"name": "tiny", "seeds": 3, "metrics": {"accuracy": 0.81}, "standardErrors": {"accuracy": 0.004}}],
        "comparisons": [],
        "data": {"paths": ["dev.tsv"], "rows": 872, "maskedTokens": 0, "leftOut": 0},
        "verdict": ["distilling helped 180 of 200 students and harmed 0"],
        "speed": speed,
        "bytes": {each["name"]: 4 * each["parameters"] for each in models},
    }


def model(name, accuracy, parameters):
    metrics = {"agreement": 1.0 if name == "teacher" else accuracy + 0.04, "accuracy": accuracy}
    entry = {"name": name, "path": name, "parameters": parameters, "notFiniteRows": 0, "metrics": metrics, "standardErrors": {"accuracy": 0.01}}
    if name != "teacher":
        entry["retention"] = {"metric": "accuracy", "share": accuracy / 0.93, "standardError": 0.012}
    return entry


def passes(parameters):
    time = parameters / 4e6
    return [
        {"tokens": 32, "batch": batch, "flops": 2 * parameters, "sentencesPerSecond": batch * 800 / time, "timesTeacher": 1.0, "p50": time, "p95": 1.2 * time}
        for batch in (1, 32)
    ]


def many(home):
    rng = random.Random(1)
    records = []
    for number in range(200):
        parameters = int(10 ** rng.uniform(6.3, 7.9))
        accuracy = min(0.925, 0.55 + 0.06 * math.log10(parameters / 1e4) + rng.uniform(0, 0.13))
        name = f"tiny{number:03d}_learning-rate-{rng.choice(['1e-4', '3e-4', '1e-3'])}"
        records.append(student(home / "students", name, accuracy, parameters, rng))
    rows = [{"name": each["name"], "status": "TRAINED", "values": {}, "training": each, "mistake": False} for each in records]
    rows.append({"name": "broken", "status": "FAILED", "values": {}, "problem": "java.io.IOException: No space left on device", "mistake": False})
    faults = {"failedTasks": {"java.io.IOException": 4}, "resumedAtStep": {records[0]["name"]: 300}}
    recipe = {"train.path": str(home / "students"), "evaluate.output": str(home / "evaluation.json")}
    home.joinpath("students/sweep.json").write_text(json.dumps({"result": {"students": rows}, "recipe": recipe, "faults": faults}))
    home.joinpath("evaluation.json").write_text(json.dumps(evaluation(records)))


def markup(home):
    rng = random.Random(2)
    records = [student(home / "students", name, 0.8, 4_000_000, rng) for name in ("<img src=x onerror=alert(1)>", "a-name-without-any-space-that-is-far-too-long-for-a-table-of-a-phone")]
    home.joinpath("students/sweep.json").write_text(json.dumps({"result": {"students": []}, "recipe": {"corpus.text": "<script>alert(2)</script>"}}))
    home.joinpath("evaluation.json").write_text(json.dumps(evaluation(records)))


def unfinished(home):
    rng = random.Random(3)
    metrics = home / "students/_metrics/distilled"
    metrics.mkdir(parents=True)
    metrics.joinpath("steps.jsonl").write_text("".join(json.dumps(step(number, rng, 1)) + "\n" for number in range(1, 90, 4)) + '{"step": 9')


def main():
    runs = pathlib.Path(sys.argv[1]) / "runs"
    for write in (many, markup, unfinished):
        write(runs / write.__name__)


if __name__ == "__main__":
    main()
