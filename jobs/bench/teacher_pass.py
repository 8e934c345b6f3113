"""The Python side of jobs/bench/teacher-pass, and its results.

loop TEACHER TABLE   runs a Hugging Face encoder over the table's sentences, sorted by length, and stores nothing
ours CACHE FROM TO   reads the result of a `cache` command that ran between two times
table DIR            collects the runs in result.json and prints them
The first two print one JSON object per run and line.
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
    model = AutoModel.from_pretrained(arguments.teacher).eval()

    def batch(some, pad):
        longest = pad or max(map(len, some))
        ids = torch.zeros(len(some), longest, dtype=torch.long)
        mask = torch.zeros(len(some), longest, dtype=torch.long)
        for n, row in enumerate(some):
            ids[n, : len(row)] = torch.tensor(row)
            mask[n, : len(row)] = 1
        return ids, mask

    for name, precision, pad, some in [
        ("python float32", "float32", 0, rows),
        ("python float32, padded to 128", "float32", 128, rows[::16]),
        ("python bfloat16", "bfloat16", 0, rows),
    ]:
        if pad and arguments.malloc:
            continue
        model.to(getattr(torch, precision))
        with torch.inference_mode():
            model(*batch(some[:ROWS_OF_A_BATCH], pad))  # the first batch initializes libtorch
            began = time.perf_counter()
            for start in range(0, len(some), ROWS_OF_A_BATCH):
                model(*batch(some[start : start + ROWS_OF_A_BATCH], pad))
            seconds = time.perf_counter() - began
        yield {
            "name": name + arguments.malloc,
            "sentences": len(some),
            "tokens": sum(map(len, some)),
            "per-second": len(some) / seconds,
            "torch": torch.__version__,
        }


def ours(arguments):
    cache = json.loads((Path(arguments.cache) / "cache.json").read_text())
    whole = float(arguments.to) - float(arguments.began)
    yield {
        "name": arguments.name,
        "sentences": cache["corpus"]["rows"],
        "tokens": cache["corpus"]["tokens"],
        "per-second": cache["run"]["rowsPerSecond"],
        "per-second-of-the-whole-command": cache["corpus"]["rows"] / whole,
        "seconds": cache["run"]["seconds"] | {"whole-command": whole},
        "bytes-per-token": cache["size"]["bytesPerToken"],
    }


def table(arguments):
    home = Path(arguments.directory)
    runs = [json.loads(line) for line in (home / "runs.jsonl").read_text().splitlines()]
    names = list(dict.fromkeys(run["name"] for run in runs))
    rates = {name: [run["per-second"] for run in runs if run["name"] == name] for name in names}
    whole = {run["tokens"] for run in runs if "padded" not in run["name"]}
    assert len(whole) == 1, f"the two sides read different numbers of tokens: {whole}"
    assert runs, "there are no runs"
    median = {name: statistics.median(rates[name]) for name in names}
    whole_command = {
        name: statistics.median(r["per-second-of-the-whole-command"] for r in runs if r["name"] == name)
        for name in names
        if name.startswith("cache")
    }
    result = {
        "processor": next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?"),
        "sentences": runs[0]["sentences"],
        "tokens": whole.pop(),
        "sentences-per-second": median,
        "sentences-per-second-of-the-whole-command": whole_command,
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
    print(f"\n{result['sentences']} sentences, {result['tokens']} tokens, two cores of {result['processor']}; sentences/s")
    print(f"{'':32}{'median':>8}{'least':>8}{'most':>8}{'ratio':>8}{'whole command':>15}")
    for name in names:
        last = f"{whole_command[name]:15.1f}" if name in whole_command else ""
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
    return []


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("loop")
    command.add_argument("teacher")
    command.add_argument("table")
    command.add_argument("--malloc", default="", help="suffix of the names that describes the allocator; leaves out the padded run")
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
    for result in arguments.run(arguments):
        print(json.dumps(result), flush=True)


main()
