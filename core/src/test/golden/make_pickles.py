"""Writes the PyTorch checkpoints that our pickle reader is tested with, and what they contain as safetensors.

Run by `mvn -Pgolden` only, never by a test run: python3 make_pickles.py [GOLDEN_DIR]

Made with Python 3.11, torch 2.15.0. zip.bin and legacy.bin hold the same tensors in the two formats of torch.save;
evil.bin calls os.getcwd when Python opens it.
"""

import collections
import os
import pathlib
import pickle
import sys

import torch
from safetensors.torch import save_file


class Evil:
    def __reduce__(self):
        return os.getcwd, ()


def tensors():
    generator = torch.Generator().manual_seed(7)
    matrix = torch.randn(5, 3, generator=generator)
    shared = torch.randn(4, 2, generator=generator)
    return collections.OrderedDict(
        float32=matrix,
        float16=matrix.half(),
        bfloat16=matrix.bfloat16(),
        float64=matrix.double(),
        int64=torch.arange(6)[None],
        transposed=torch.randn(3, 5, generator=generator).t(),
        row=shared[2],  # a view of a part of a storage
        shared=shared,
        scalar=torch.tensor(2.5),
        empty=torch.zeros(0, 3),
        parameter=torch.nn.Parameter(torch.randn(2, generator=generator)))


def main(output):
    directory = output / "pickles-v1"
    directory.mkdir(exist_ok=True)
    values = tensors()
    torch.save(values, directory / "zip.bin")
    torch.save(values, directory / "legacy.bin", _use_new_zipfile_serialization=False)
    torch.save(torch.nn.BatchNorm1d(2).state_dict(), directory / "metadata.bin")  # has _metadata and an int64 scalar
    (directory / "evil.bin").write_bytes(pickle.dumps({"weight": Evil()}, protocol=2))
    torch.save({"weight": torch.ones(2), "state": Evil()}, directory / "evil-zip.bin")
    torch.save({"epoch": 3}, directory / "no-tensors.bin")
    save_file({name: tensor.detach().to(torch.float32).contiguous().clone() for name, tensor in values.items()},
              directory / "values.safetensors")
    (directory / "values.safetensors").chmod(0o644)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent).resolve())
