"""Checks that Python's PyTorch loads Stillhouse's TorchScript archives and computes the same logits.

check_torchscript.py LOGITS_DIR EXPORT_DIR ...

Each EXPORT_DIR contains model.pt, and LOGITS_DIR a file with its name that `stillhouse logits MODEL_DIR sentences.txt FILE` wrote. The file
contains, for sentence NNN (from 000), the float32 tensors input_ids_NNN of shape (length) and logits_NNN of shape (length, vocabulary) for
a masked-LM head, (classes) for any other.
"""

import functools
import pathlib
import sys
import warnings

import torch
from outcome import Skip, expect, run
from safetensors import safe_open

# Of 1 + the size of the reference: a logit near 20 differs by more than 1e-4 between any two implementations in float32.
TOLERANCE = 1e-4


@functools.cache
def load(directory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch.jit.load is deprecated, but still how a C++ program loads a module
        return torch.jit.load(directory / "model.pt").eval()


def sentences(logits_file):
    """Returns pairs of token ids and logits."""
    with safe_open(logits_file, "pt") as ours:
        count = sum(name.startswith("logits_") for name in ours.keys())
        expect(count > 0, f"no logits in {logits_file}")
        return [(ours.get_tensor(f"input_ids_{i:03d}").long(), ours.get_tensor(f"logits_{i:03d}")) for i in range(count)]


def worst_of(pairs):
    worst = 0.0
    for i, (theirs, ours) in enumerate(pairs):
        expect(theirs.shape == ours.shape, f"logits of sentence {i}: {tuple(theirs.shape)}, not {tuple(ours.shape)}")
        difference = (theirs - ours).abs().max().item()
        close = torch.allclose(theirs, ours, rtol=TOLERANCE, atol=TOLERANCE)
        expect(close, f"logits of sentence {i} differ by {difference:.2e}, more than {TOLERANCE:.0e} of 1 + their size")
        worst = max(worst, difference)
    return worst


def one_by_one(directory, logits_file):
    model = load(directory)
    with torch.inference_mode():
        pairs = [(model(ids[None])[0], ours) for ids, ours in sentences(logits_file)]
    return f"{len(pairs)} sentences, largest difference {worst_of(pairs):.1e}"


def padded(directory, logits_file):
    model, rows = load(directory), sentences(logits_file)
    ids = torch.nn.utils.rnn.pad_sequence([ids for ids, _ in rows], batch_first=True)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(ids) for ids, _ in rows], batch_first=True)
    with torch.inference_mode():
        theirs = model(ids, mask)
    per_token = theirs.dim() == 3
    pairs = [(theirs[i, : len(row)] if per_token else theirs[i], ours) for i, (row, ours) in enumerate(rows)]
    return f"a batch of {ids.shape[0]} x {ids.shape[1]}, largest difference {worst_of(pairs):.1e}"


def names(directory):
    """Compares the names of the parameters with those in model.safetensors, from which model.pt was written."""
    weights = directory / "model.safetensors"
    if not weights.exists():
        raise Skip(f"no {weights.name} in {directory}")
    ours = load(directory).state_dict()
    with safe_open(weights, "pt") as stored:
        missing = set(stored.keys()) - set(ours)
        unknown = {name for name in set(ours) - set(stored.keys()) if "decoder" not in name and "vocab_projector" not in name}
        unused_pooler = {name for name in missing if "pooler" in name and not any("classifier" in other for other in ours)}
        expect(not missing - unused_pooler, f"no {sorted(missing - unused_pooler)[:5]}")
        expect(not unknown, f"unknown {sorted(unknown)[:5]}")
        for name in set(stored.keys()) & set(ours):
            expect(torch.equal(stored.get_tensor(name).float(), ours[name]), f"{name} has other values")
    return f"{len(ours)} parameters"


if __name__ == "__main__":
    logits, *exports = map(pathlib.Path, sys.argv[1:])
    checks = {}
    for export in exports:
        file = logits / f"{export.name}.safetensors"
        checks[f"{export.name}: names of model.pt"] = lambda export=export: names(export)
        checks[f"{export.name}: logits of model.pt"] = lambda export=export, file=file: one_by_one(export, file)
        checks[f"{export.name}: padded logits of model.pt"] = lambda export=export, file=file: padded(export, file)
    run(checks)
