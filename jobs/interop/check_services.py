"""Checks that every program that loads an exported classifier computes the logits of its weights.

check_services.py LOGITS_DIR EXPORT_DIR ...

LOGITS_DIR contains what ServiceLogits.java wrote for each EXPORT_DIR: the logits of the weights, of ONNX Runtime in Java and of model.pt in
DJL, and the probabilities that DJL's Criteria gives a service. Hugging Face's transformers computes the same token ids here.
"""

import json
import pathlib
import sys

import numpy
import torch
import transformers
from outcome import Skip, expect, run
from safetensors.numpy import load_file

TOLERANCE = 1e-4


def logits(file):
    tensors = load_file(file)
    count = sum(name.startswith("logits_") for name in tensors)
    return [(tensors[f"input_ids_{i:03d}"].astype(numpy.int64), tensors[f"logits_{i:03d}"]) for i in range(count)]


def compare(ours, theirs):
    expect(len(ours) == len(theirs), f"{len(theirs)} sentences, not {len(ours)}")
    difference = max(numpy.abs(a - b).max() for a, b in zip(ours, theirs))
    expect(difference <= TOLERANCE, f"they differ by {difference:.1e}, more than {TOLERANCE:.0e}")
    return f"{len(ours)} sentences, largest difference {difference:.1e}"


def in_java(directory, name, form):
    ours, theirs = logits(directory / f"{name}.safetensors"), logits(directory / f"{name}-{form}.safetensors")
    expect(all((a == b).all() for (a, _), (b, _) in zip(ours, theirs)), "token ids differ")
    return compare([a for _, a in ours], [b for _, b in theirs])


def criteria(directory, export):
    classes = json.loads((export / "config.json").read_text())["id2label"]
    names = [classes[str(i)] for i in range(len(classes))]
    expected = [numpy.exp(a - a.max()) / numpy.exp(a - a.max()).sum() for _, a in logits(directory / f"{export.name}.safetensors")]
    given = [json.loads(line) for line in (directory / f"{export.name}-djl.jsonl").read_text(encoding="utf-8").splitlines()]
    return compare(expected, [numpy.array([row[name] for name in names]) for row in given])


def in_transformers(directory, export):
    if json.loads((export / "config.json").read_text())["model_type"] == "stillhouse-bilstm":
        raise Skip("transformers has no BiLSTM")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(export, dtype=torch.float32).eval()
    rows = logits(directory / f"{export.name}.safetensors")
    with torch.inference_mode():
        theirs = [model(torch.from_numpy(ids)[None]).logits[0].numpy() for ids, _ in rows]
    return compare([a for _, a in rows], theirs)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    written, *exports = map(pathlib.Path, sys.argv[1:])
    checks = {}
    for each in exports:
        checks |= {
            f"{each.name}: ONNX Runtime in Java": lambda each=each: in_java(written, each.name, "onnx"),
            f"{each.name}: model.pt in DJL": lambda each=each: in_java(written, each.name, "pt"),
            f"{each.name}: probabilities by DJL's Criteria": lambda each=each: criteria(written, each),
            f"{each.name}: transformers": lambda each=each: in_transformers(written, each),
        }
    run(checks)
