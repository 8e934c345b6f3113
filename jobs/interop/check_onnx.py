"""Checks that ONNX Runtime computes Stillhouse's logits from the ONNX files of exports, and measures the int8 files.

check_onnx.py LOGITS_DIR EXPORT_DIR ... [--labels FILE]

EXPORT_DIR contains onnx/model.onnx and, for some models, onnx/model_quantized.onnx and ncnn/model.onnx. LOGITS_DIR contains a file
NAME.safetensors for each EXPORT_DIR/NAME, written by `stillhouse logits MODEL_DIR TEXT FILE`: for line NNN of the text (from 000), the
float32 tensors input_ids_NNN and logits_NNN. The FILE of --labels contains the class id of each line, to measure the accuracy of the files.
"""

import argparse
import collections
import json
import pathlib
import tempfile
import time

import numpy
import onnx
import onnxruntime
from outcome import Skip, expect, run
from safetensors.numpy import load_file

# For every logit, or of the largest one where that is over 1: those of a masked LM are near 20, see check_huggingface.py.
TOLERANCE = 1e-4
MAX_INT8_SIZE = 0.30  # of float32
MIN_INT8_AGREEMENT = 0.97  # of lines; those that differ are near ties
MIN_INT8_AGREEMENT_OF_TOKENS = 0.9  # of a masked LM, which chooses among its vocabulary
ROWS_PER_BATCH = 16


def session(file, optimized=None):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def feeds(model, rows):
    """Pads rows of token ids with an id that must not matter."""
    longest = max(map(len, rows))
    ids = numpy.full((len(rows), longest), 1, numpy.int64)
    mask = numpy.zeros((len(rows), longest), numpy.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    values = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
    values["position_ids"] = numpy.broadcast_to(numpy.arange(longest), ids.shape)
    wanted = {entry.name: entry.type for entry in model.get_inputs()}
    return {name: values[name].astype(numpy.float32 if kind == "tensor(float)" else numpy.int64) for name, kind in wanted.items()}


def compute(file, lines, rows_per_batch):
    """Returns the output of each line, without padding."""
    model, outputs = session(file), []
    for start in range(0, len(lines), rows_per_batch):
        rows = lines[start : start + rows_per_batch]
        batch = model.run(None, feeds(model, rows))[0]
        outputs += [output if batch.ndim == 2 else output[: len(row)] for output, row in zip(batch, rows)]
    return outputs


class Export:
    def __init__(self, directory, logits_file):
        self.directory = directory
        self.float32 = directory / "onnx" / "model.onnx"
        self.int8 = directory / "onnx" / "model_quantized.onnx"
        self.ncnn = directory / "ncnn" / "model.onnx"
        tensors = load_file(logits_file)
        count = sum(name.startswith("logits_") for name in tensors)
        self.lines = [tensors[f"input_ids_{i:03d}"].astype(numpy.int64) for i in range(count)]
        self.logits = [tensors[f"logits_{i:03d}"] for i in range(count)]
        self.per_token = self.logits[0].ndim == 2

    def valid(self, file):
        expect_file(file)
        model = onnx.load(file)
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        expect(model.opset_import[0].version == 12 and model.ir_version == 7, "it is not of opset 12 and IR version 7")
        inputs = ", ".join(f"{entry.name} {shape(entry)}" for entry in model.graph.input)
        outputs = ", ".join(f"{entry.name} {shape(entry)}" for entry in model.graph.output)
        return f"{len(model.graph.node)} nodes, {file.stat().st_size / 1e6:.1f} MB, {inputs} -> {outputs}"

    def same_logits(self, file, rows_per_batch):
        expect_file(file)
        differences = [abs(own - theirs).max() for own, theirs in zip(compute(file, self.lines, rows_per_batch), self.logits)]
        scale = max(abs(logits).max() for logits in self.logits) if self.per_token else 1.0
        expect(max(differences) <= TOLERANCE * max(scale, 1), f"logits differ by {max(differences):.1e}; the largest is {scale:.1f}")
        return f"{len(self.lines)} lines, largest difference {max(differences):.1e}"

    def fused(self):
        config = self.directory / "config.json"
        if not config.exists() or json.loads(config.read_text())["model_type"] == "stillhouse-bilstm":
            raise Skip("only attention is fused")
        config = json.loads(config.read_text())
        # ONNX Runtime looks for a LayerNorm before the queries; ALBERT has a linear layer before those of its first block.
        layers = config.get("num_hidden_layers", config.get("n_layers")) - (config["model_type"] == "albert")
        with tempfile.TemporaryDirectory() as scratch:
            optimized = pathlib.Path(scratch) / "optimized.onnx"
            session(self.float32, optimized)
            operators = collections.Counter(node.op_type for node in onnx.load(optimized).graph.node)
        whole = operators["Attention"] == layers
        expect(whole, f"{operators['Attention']} of {layers} attentions are fused: {dict(operators)}")
        return ", ".join(f"{count} {name}" for name, count in operators.most_common())

    def small(self):
        expect_file(self.int8)
        ratio = self.int8.stat().st_size / self.float32.stat().st_size
        expect(ratio <= MAX_INT8_SIZE, f"it has {ratio:.1%} of the size of float32, not {MAX_INT8_SIZE:.0%} or less")
        return f"{self.int8.stat().st_size / 1e6:.1f} MB, {ratio:.1%} of float32"

    def close(self):
        expect_file(self.int8)
        theirs = compute(self.int8, self.lines, 1)
        differences = [abs(own - other).max() for own, other in zip(self.logits, theirs)]
        same = numpy.mean([numpy.mean(own.argmax(-1) == other.argmax(-1)) for own, other in zip(self.logits, theirs)])
        least = MIN_INT8_AGREEMENT_OF_TOKENS if self.per_token else MIN_INT8_AGREEMENT
        expect(same >= least, f"{same:.1%} of predictions are the same")
        return f"{same:.2%} of predictions are the same, mean difference {numpy.mean(differences):.3f}, largest {max(differences):.3f}"

    def accuracy(self, labels):
        expect(len(labels) == len(self.lines), f"{len(labels)} labels of {len(self.lines)} lines")
        results = []
        for file in (self.float32, self.int8):
            if file.exists():
                correct = [output.argmax() == label for output, label in zip(compute(file, self.lines, 1), labels)]
                results.append(f"{file.name} {numpy.mean(correct):.4f}")
        return ", ".join(results)

    def latency(self):
        """Measures all files in turns, so that other load affects them alike."""
        files = [file for file in (self.float32, self.int8) if file.exists()]
        models = [session(file) for file in files]
        inputs = [feeds(model, [numpy.arange(1000, 1032) % 2000]) for model in models]
        times = [[] for _ in files]
        for _ in range(110):
            for model, values, spent in zip(models, inputs, times):
                start = time.perf_counter()
                model.run(None, values)
                spent.append(1000 * (time.perf_counter() - start))
        medians = [numpy.median(spent[10:]) for spent in times]
        return ", ".join(f"{file.name} {median:.2f} ms" for file, median in zip(files, medians)) + " (1 x 32, one thread)"


def expect_file(file):
    if not file.exists():
        raise Skip(f"there is no {file.name} in {file.parent}")


def shape(entry):
    return "[" + ", ".join(axis.dim_param or str(axis.dim_value) for axis in entry.type.tensor_type.shape.dim) + "]"


def checks(export, name, labels):
    plain = {
        f"{name}: float32 file is valid": lambda: export.valid(export.float32),
        f"{name}: float32 file computes our logits": lambda: export.same_logits(export.float32, 1),
        f"{name}: float32 file ignores padding": lambda: export.same_logits(export.float32, ROWS_PER_BATCH),
        f"{name}: attention is fused": export.fused,
        f"{name}: ncnn file is valid": lambda: export.valid(export.ncnn),
        f"{name}: ncnn file computes our logits": lambda: export.same_logits(export.ncnn, 1),
        f"{name}: int8 file is valid": lambda: export.valid(export.int8),
        f"{name}: int8 file is small": export.small,
        f"{name}: int8 file predicts the same": export.close,
        f"{name}: latency": export.latency,
    }
    return plain | ({f"{name}: accuracy": lambda: export.accuracy(labels)} if labels else {})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("logits", type=pathlib.Path)
    parser.add_argument("exports", type=pathlib.Path, nargs="+")
    parser.add_argument("--labels", type=pathlib.Path)
    arguments = parser.parse_args()
    classes = [int(line) for line in arguments.labels.read_text().split()] if arguments.labels else None
    every = {}
    for directory in arguments.exports:
        every |= checks(Export(directory, arguments.logits / f"{directory.name}.safetensors"), directory.name, classes)
    run(every)
