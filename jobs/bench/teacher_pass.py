"""The Python side of jobs/bench/teacher-pass, and its table.

loop TEACHER TABLE   runs a Hugging Face encoder over the table's sentences, and keeps nothing
ours CACHE FROM TO   reads what `cache` says of a run between two times
table DIR            gathers the runs into result.json, and prints them
Each but the last prints one JSON object.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

ROWS_OF_A_BATCH = 32
BASE = "python float32"


def loop(arguments):
    import torch
    from transformers import AutoModel, AutoTokenizer

    lines = Path(arguments.table).read_text(encoding="utf-8").splitlines()
    column = lines[0].split("\t").index("sentence")
    tokenizer = AutoTokenizer.from_pretrained(arguments.teacher)
    texts = [line.split("\t")[column] for line in lines[1:]]
    rows = sorted((tokenizer(text, truncation=True, max_length=64)["input_ids"] for text in texts), key=len)
    rows = rows[:: arguments.share]
    model = AutoModel.from_pretrained(arguments.teacher).eval().to(getattr(torch, arguments.precision))

    def batch(some):
        longest = arguments.pad or max(map(len, some))
        ids = torch.zeros(len(some), longest, dtype=torch.long)
        mask = torch.zeros(len(some), longest, dtype=torch.long)
        for n, row in enumerate(some):
            ids[n, : len(row)] = torch.tensor(row)
            mask[n, : len(row)] = 1
        return ids, mask

    with torch.inference_mode():
        model(*batch(rows[:ROWS_OF_A_BATCH]))  # the first batch sets things up
        began = time.perf_counter()
        for start in range(0, len(rows), ROWS_OF_A_BATCH):
            model(*batch(rows[start : start + ROWS_OF_A_BATCH]))
        seconds = time.perf_counter() - began
    tokens = sum(map(len, rows))
    return {"sentences": len(rows), "tokens": tokens, "per-second": len(rows) / seconds, "torch": torch.__version__}


def ours(arguments):
    cache = json.loads((Path(arguments.cache) / "cache.json").read_text())
    whole = float(arguments.to) - float(arguments.began)
    return {
        "sentences": cache["rows"],
        "tokens": cache["tokens"],
        "per-second": cache["rowsPerSecond"],
        "per-second-of-the-whole-command": cache["rows"] / whole,
        "seconds": cache["seconds"] | {"whole-command": whole},
        "bytes-per-token": cache["bytesPerToken"],
    }


def table(arguments):
    home = Path(arguments.directory)
    runs = [json.loads(line) for line in (home / "runs.jsonl").read_text().splitlines()]
    names = list(dict.fromkeys(run["name"] for run in runs))
    rates = {name: [run["per-second"] for run in runs if run["name"] == name] for name in names}
    whole = {run["tokens"] for run in runs if "padded" not in run["name"]}
    assert len(whole) == 1, f"the sides read different tokens: {whole}"
    median = {name: statistics.median(rates[name]) for name in names}
    result = {
        "cpu": next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?"),
        "sentences": runs[0]["sentences"],
        "tokens": whole.pop(),
        "sentences-per-second": median,
        "of-python-float32": {name: rate / median[BASE] for name, rate in median.items()},
        "ratios": {
            "cache float32 / python float32": median["cache float32"] / median[BASE],
            "cache bfloat16 / python float32": median["cache bfloat16"] / median[BASE],
            "cache float32 / python float32, our malloc": median["cache float32"] / median["python float32, our malloc"],
            "cache bfloat16 / python bfloat16, our malloc": median["cache bfloat16"] / median["python bfloat16, our malloc"],
            "cache float32 / padded": median["cache float32"] / median["python float32, padded to 128"],
        },
        "errors": {},
        "runs": runs,
    }
    for precision in ("float32", "bfloat16"):
        verdict = json.loads((home / f"cache-{precision}" / "verify.json").read_text())
        result["errors"][precision] = verdict["fidelity"]
    print(f"\n{result['sentences']} sentences, {result['tokens']} tokens, two cores of {result['cpu']}; sentences/s")
    print(f"{'':32}{'median':>8}{'least':>8}{'most':>8}{'ratio':>8}{'whole command':>15}")
    for name in names:
        command = [r["per-second-of-the-whole-command"] for r in runs if r["name"] == name and "seconds" in r]
        last = f"{statistics.median(command):15.1f}" if command else ""
        print(f"{name:32}{median[name]:8.1f}{min(rates[name]):8.1f}{max(rates[name]):8.1f}{median[name] / median[BASE]:8.2f}{last}")
    for name, ratio in result["ratios"].items():
        print(f"{name:48}{ratio:8.2f}")
    print(f"\n{'relative error of a column':28}{'from float32 of a cache in':>27}")
    print(f"{'':28}{'float32':>12}{'bfloat16':>12}")
    for column, error in result["errors"]["float32"].items():
        other = result["errors"]["bfloat16"][column]
        print(f"{column:28}{error['fromFloat32']:12.1e}{other['fromFloat32']:12.1e}")
    evaluation = home / "evaluation.json"
    if evaluation.exists():
        result["students"] = json.loads(evaluation.read_text())
        print()
        for model in result["students"]["models"]:
            print(f"{model['path'].split('/teacher-pass/')[-1]:32}accuracy {model['metrics']['accuracy']:.4f}")
    (home / "result.json").write_text(json.dumps(result, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("loop")
    command.add_argument("teacher")
    command.add_argument("table")
    command.add_argument("--precision", default="float32")
    command.add_argument("--pad", type=int, default=0)
    command.add_argument("--share", type=int, default=1, help="takes every n-th sentence")
    command.add_argument("--name", required=True)
    command.set_defaults(run=loop)
    command = commands.add_parser("ours")
    command.add_argument("cache")
    command.add_argument("began")
    command.add_argument("to")
    command.add_argument("--name", required=True)
    command.set_defaults(run=ours)
    command = commands.add_parser("table")
    command.add_argument("directory")
    command.set_defaults(run=table)
    arguments = parser.parse_args()
    result = arguments.run(arguments)
    if result:
        print(json.dumps({"name": arguments.name} | result))


main()
