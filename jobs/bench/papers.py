"""The tables of jobs/bench/papers: papers.py DIR [papers.json]. Merges DIR/results into the file, or reads the file alone."""

import json
import sys
from pathlib import Path

PAPER = {  # what the papers' tables say, for the signs: differences from their full system, average over their tasks
    "objectives": {"no-embedding": -1.5, "no-prediction": -2.1, "no-transformer": -19.3, "no-attention": -4.6, "no-hidden": -2.7},
    "mappings": {"top": -4.7, "bottom": -4.3},
    "distilbert": {"no-soft-label": -2.96, "no-cosine": -1.46, "no-masked-lm": -0.31, "random-start": -3.69},
}
TITLES = {
    "sst2-bilstm": "SST-2, BiLSTM", "sst2-bilstm-augmented": "SST-2, BiLSTM, augmented", "sst2-tiny": "SST-2, 4 x 312", "sst2-tinybert": "SST-2, 4 x 312, all stages, augmented", "sst2-six": "SST-2, 6 x 768",
    "mrpc": "MRPC", "rte": "RTE", "cola": "CoLA", "sts-b": "STS-B",
}


def short(value):
    """A machine's own folders are nobody's business."""
    if isinstance(value, dict):
        return {key: Path(v).name if key == "path" else [Path(p).name for p in v] if key == "paths" else short(v) for key, v in value.items()}
    return [short(v) for v in value] if isinstance(value, list) else value


where = Path(sys.argv[1])
if where.is_dir():
    to = Path(sys.argv[2] if len(sys.argv) > 2 else "papers.json")
    results = json.loads(to.read_text()) if to.exists() else {}
    results.update({f.stem: short(json.loads(f.read_text())) for f in (where / "results").glob("*.json")})
    to.write_text(json.dumps(results, indent=1) + "\n")
else:
    results = json.loads(where.read_text())


def first_metric(result):
    return next(m for m in result["models"][0]["metrics"] if m != "agreement")


def percent(value, error=None):
    return f"{100 * value:.1f}" + ("" if error is None else f" ± {100 * error:.1f}")


def group(result, name, metric):
    for of in result["groups"]:
        if of["name"] == name:
            return percent(of["metrics"][metric], of["standardErrors"][metric])
    of = next(m for m in result["models"] if m["name"] == name)
    return percent(of["metrics"][metric], of["standardErrors"].get(metric))


def compared(result, metric):
    """Of the groups alone, if there are any."""
    of = [c for c in result["comparisons"] if c["metric"] == metric]
    return [c for c in of if "seeds" in c] or of


def difference(c):
    seeds = f"; {100 * c['seeds']['standardError']:.1f} over seeds" if "seeds" in c else ""
    mark = " **" if c["standardError"] and abs(c["difference"]) > 2 * c["standardError"] else ""
    return f"{mark and '**'}{100 * c['difference']:+.1f}{mark and '**'} ± {100 * c['standardError']:.1f}{seeds}"


print("| task, student | metric | teacher | distilled | undistilled | difference | of the teacher's |")
print("| --- | --- | --- | --- | --- | --- | --- |")
for name, title in TITLES.items():
    if name not in results:
        continue
    result = results[name]
    metric = first_metric(result)
    teacher = result["models"][0]
    kinds = [g["name"] for g in result["groups"]] or [m["name"] for m in result["models"][1:]]
    for kind in [k for k in kinds if not k.endswith("-undistilled")]:
        twin = kind + "-undistilled"
        pairs = [c for c in compared(result, metric) if c["model"] == kind and c["than"] == twin]
        mean = next((g["metrics"][metric] for g in result["groups"] if g["name"] == kind), None)
        mean = mean if mean is not None else next(m["metrics"][metric] for m in result["models"] if m["name"] == kind)
        student = title if len(kinds) <= 2 else f"{title}, {kind}"
        print(f"| {student} | {metric} | {percent(teacher['metrics'][metric], teacher['standardErrors'].get(metric))} | {group(result, kind, metric)} | "
              f"{group(result, twin, metric) if pairs else ''} | {difference(pairs[0]) if pairs else ''} | {percent(mean / teacher['metrics'][metric])} % |")

for name in ("objectives", "mappings", "distilbert", "two-teachers", "sst2-augmentation", "cola-augmented", "cola-general", "mrpc-general"):
    if name not in results:
        continue
    result = results[name]
    metric = first_metric(result)
    print(f"\n{name}\n\n| student | {metric} | against {compared(result, metric)[0]['than']} | agreement | the paper's difference |\n| --- | --- | --- | --- | --- |")
    for of in result["groups"]:
        pair = next((c for c in compared(result, metric) if c["model"] == of["name"]), None)
        paper = PAPER.get(name, {}).get(of["name"])
        print(f"| {of['name']} | {group(result, of['name'], metric)} | {difference(pair) if pair else ''} | {group(result, of['name'], 'agreement') if 'agreement' in of['metrics'] else ''} | "
              f"{'' if paper is None else f'{paper:+.1f}'} |")

for name in ("speed", "speed-small"):
    if name not in results:
        continue
    of = results[name]["speed"]
    lengths = [p for p in of[0]["passes"] if p["batch"] == of[0]["passes"][0]["batch"]]
    heads = [f"MFLOPs of {p['tokens']} tokens" for p in lengths] + [f"{p['batch']} x {p['tokens']}" for p in of[0]["passes"]]
    print(f"\nsentences/s, {of[0]['device']}, {of[0]['threads']} thread(s)\n\n| model | parameters | " + " | ".join(heads) + " |\n" + "| --- " * (2 + len(heads)) + "|")
    for model in of:
        flops = [f"{p['flops'] / 1e6:,.0f}" for p in model["passes"] if p["batch"] == lengths[0]["batch"]]
        rates = [f"{p['sentencesPerSecond']:,.1f} ({p['timesTeacher']:.2f}x)" for p in model["passes"]]
        print(f"| {model['model']} | {model['parameters']:,} | " + " | ".join(flops + rates) + " |")
