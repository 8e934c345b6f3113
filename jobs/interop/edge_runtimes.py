"""Converts and measures a model in one runtime. edge.py runs this file inside the environment of each runtime.

edge_runtimes.py tokens EXPORT WORK SENTENCES              writes WORK/tokens.npz and WORK/graphs.json
edge_runtimes.py reference FILE WORK                       writes WORK/reference.npz, ONNX Runtime's outputs for every sentence
edge_runtimes.py convert RUNTIME WEIGHTS SOURCE DIR WORK   writes the runtime's files into DIR
edge_runtimes.py quantize RUNTIME DIR                      replaces the float32 file in DIR
edge_runtimes.py measure RUNTIME WEIGHTS FILE WORK RESULT  writes RESULT, a JSON file

This file must run with Python 3.8, the latest version that Paddle Lite supports.
"""

import importlib.metadata
import importlib.util
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import numpy

TIMED_TOKENS = 32
TIMED_ROUNDS = 5
TIMED_RUNS = 60
PADDED_TOKENS = 64
TOLERANCE = 1e-4  # for outputs up to 1; for larger ones, of a sentence's largest output


def call(*command, **options):
    """Runs a converter; if it fails, exits without a message of our own, so that the log ends with the converter's."""
    code = subprocess.run([str(word) for word in command], **options).returncode
    if code:
        sys.exit(code)


class OnnxRuntime:
    package = "onnxruntime"

    def __init__(self, file, weights):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self.inputs = {tensor.name: numpy.float32 if "float" in tensor.type else numpy.int64 for tensor in self.session.get_inputs()}

    def run(self, feed):
        return self.session.run(None, {name: feed[name].astype(dtype) for name, dtype in self.inputs.items()})[0]


class OpenVino:
    package = "openvino"

    def __init__(self, file, weights):
        import openvino

        # Without the hint, processors with bfloat16 instructions use them.
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
        compiled = openvino.Core().compile_model(str(file), "CPU", settings)
        self.request = compiled.create_infer_request()
        self.inputs = {port.any_name: port.element_type.to_dtype() for port in compiled.inputs}

    def run(self, feed):
        return self.request.infer({name: feed[name].astype(dtype) for name, dtype in self.inputs.items()})[0].copy()


class LiteRt:
    package = "ai-edge-litert"

    def __init__(self, file, weights):
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(model_path=str(file), num_threads=1)
        details = self.interpreter.get_input_details()
        self.inputs = {detail["name"].split(":")[0].replace("serving_default_", ""): detail for detail in details}
        self.output = self.interpreter.get_output_details()[0]["index"]
        self.shapes = None

    def run(self, feed):
        shapes = {name: feed[name].shape for name in self.inputs}
        if shapes != self.shapes:
            for name, detail in self.inputs.items():
                self.interpreter.resize_tensor_input(detail["index"], shapes[name])
            self.interpreter.allocate_tensors()
            self.shapes = shapes
        for name, detail in self.inputs.items():
            self.interpreter.set_tensor(detail["index"], feed[name].astype(detail["dtype"]))
        # An LSTM's states are variables of the model: without this call, a sentence starts from the last states of the previous one.
        self.interpreter.reset_all_variables()
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.output)

    @staticmethod
    def convert(weights, source, directory, graph):
        """Runs in the environment of onnx2tf. Of its two files, the interpreter for CPUs cannot run the one with float16 weights."""
        if weights == "int8":
            source = with_int8_words(source, directory / "model.onnx")
        call(sys.executable, "-m", "onnx2tf", "-i", source, "-o", directory, "-n")
        (directory / "model_float32.tflite").rename(directory / "model.tflite")

    @staticmethod
    def quantize(directory):
        from ai_edge_quantizer import quantizer, recipe

        file = str(directory / "model.tflite")
        quantizer.Quantizer(file, recipe.dynamic_wi8_afp32()).quantize().export_model(file, overwrite=True)


def with_int8_words(source, file):
    """Writes a copy of a model whose largest table is stored as int8 with a scale for each row; returns its file.

    ai-edge-quantizer leaves tables in float32, and they are most of a small model.
    """
    import onnx

    model = onnx.load(str(source))
    nodes, initializers = model.graph.node, {tensor.name: tensor for tensor in model.graph.initializer}
    gathers = [node for node in nodes if node.op_type == "Gather" and node.input[0] in initializers]
    table = max((initializers[node.input[0]] for node in gathers), key=lambda tensor: numpy.prod(tensor.dims))
    words = onnx.numpy_helper.to_array(table)
    scales = numpy.maximum(numpy.abs(words).max(axis=1, keepdims=True), 1e-12) / 127
    for name, values in (("int8_words", numpy.rint(words / scales).astype(numpy.int8)), ("scales_of_words", scales)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    for node in [node for node in gathers if node.input[0] == table.name]:
        at, (_, ids), output = list(nodes).index(node), node.input, node.output[0]
        nodes.remove(node)
        parts = [
            ("Gather", ["int8_words", ids], "int8"),
            ("Cast", [output + "_int8"], "float"),
            ("Gather", ["scales_of_words", ids], "scale"),
        ]
        for offset, (kind, inputs, suffix) in enumerate(parts):
            to = {"to": onnx.TensorProto.FLOAT} if kind == "Cast" else {}
            nodes.insert(at + offset, onnx.helper.make_node(kind, inputs, [f"{output}_{suffix}"], f"{output}_{suffix}", **to))
        nodes.insert(at + len(parts), onnx.helper.make_node("Mul", [output + "_float", output + "_scale"], [output], output))
    if not any(table.name in node.input for node in nodes):  # a masked-LM head reads it, too
        model.graph.initializer.remove(table)
    onnx.save(model, str(file))
    return file


class Mnn:
    package = "MNN"

    def __init__(self, file, weights):
        import MNN

        self.library = MNN
        self.interpreter = MNN.Interpreter(str(file))
        self.session = self.interpreter.createSession({"backend": "CPU", "numThread": 1, "precision": "high"})
        self.inputs = self.interpreter.getSessionInputAll(self.session)
        self.shapes = None

    def run(self, feed):
        library, shapes = self.library, {name: feed[name].shape for name in self.inputs}
        if shapes != self.shapes:
            for name, tensor in self.inputs.items():
                self.interpreter.resizeTensor(tensor, shapes[name])
            self.interpreter.resizeSession(self.session)
            self.shapes = shapes
        for name, tensor in self.inputs.items():
            kind = tensor.getDataType()
            values = feed[name].astype(numpy.float32 if kind == library.Halide_Type_Float else numpy.int32)  # MNN has no int64
            tensor.copyFrom(library.Tensor(shapes[name], kind, values, library.Tensor_DimensionType_Caffe))
        self.interpreter.runSession(self.session)
        output = self.interpreter.getSessionOutput(self.session)
        result = numpy.zeros(output.getShape(), numpy.float32)
        host = library.Tensor(output.getShape(), output.getDataType(), result, library.Tensor_DimensionType_Caffe)
        output.copyToHostTensor(host)
        return numpy.array(host.getNumpyData()).reshape(result.shape)

    @staticmethod
    def convert(weights, source, directory, graph):
        # The command mnnconvert runs pip and sends telemetry; the extension module that it wraps does neither.
        import _tools

        # By default, the converter replaces erf by tanh, which changes the logits by 1e-4. With --transformerFuse, they are wrong.
        options = ["--bizCode", "stillhouse", "--useGeluApproximation", "0", "--useOriginRNNImpl"]
        reduced = {"float32": [], "float16": ["--fp16"], "int8": ["--weightQuantBits", "8"]}[weights]
        _tools.mnnconvert(
            ["mnnconvert", "-f", "ONNX", "--modelFile", str(source), "--MNNModel", str(directory / "model.mnn"), *options, *reduced])


class Ncnn:
    package = "ncnn"

    def __init__(self, file, weights):
        import ncnn

        self.library = ncnn
        self.net = ncnn.Net()
        self.net.opt.num_threads = 1
        if weights == "float32":  # by default, ncnn keeps weights and activations in float16 where the processor converts them
            self.net.opt.use_fp16_packed = self.net.opt.use_fp16_storage = self.net.opt.use_fp16_arithmetic = False
        if self.net.load_param(str(file.with_suffix(".param"))) or self.net.load_model(str(file)):
            raise RuntimeError(f"ncnn cannot load {file.name}")
        self.inputs = json.loads(file.with_name("inputs.json").read_text())

    def run(self, feed):
        extractor = self.net.create_extractor()
        for index, (name, dtype) in enumerate(self.inputs.items()):
            values = feed[name][0].astype(numpy.float32 if dtype == "f32" else numpy.int32)
            extractor.input(f"in{index}", self.library.Mat(values).clone())  # a Mat without clone uses the array's memory
        status, output = extractor.extract("out0")
        if status:
            raise RuntimeError(f"ncnn's extract returned {status}")
        return numpy.array(output)[None]

    @staticmethod
    def convert(weights, source, directory, graph):
        # pnnx writes its files beside its input. It is an executable in a package that cannot be imported without torch.
        executable = pathlib.Path(importlib.util.find_spec("pnnx").origin).with_name("pnnx")
        shutil.copyfile(source, directory / "model.onnx")
        # Two shapes tell pnnx that the length is dynamic.
        shapes = [",".join(f"[1,{length}]{dtype}" for dtype in graph["inputs"].values()) for length in (16, 24)]
        half = int(weights == "float16")
        call(executable, "model.onnx", f"inputshape={shapes[0]}", f"inputshape2={shapes[1]}", f"fp16={half}", cwd=directory)
        (directory / "inputs.json").write_text(json.dumps(graph["inputs"]))  # pnnx names them in0, in1, ...


class PaddleLite:
    package = "paddlelite"

    def __init__(self, file, weights):
        from paddlelite import lite

        config = lite.MobileConfig()
        config.set_model_from_file(str(file))
        self.predictor = lite.create_paddle_predictor(config)
        self.inputs = [name.replace("x2paddle_", "") for name in self.predictor.get_input_names()]

    def run(self, feed):
        for index, name in enumerate(self.inputs):
            self.predictor.get_input(index).from_numpy(numpy.ascontiguousarray(feed[name]))
        self.predictor.run()
        return numpy.array(self.predictor.get_output(0).numpy())

    @staticmethod
    def convert(weights, source, directory, graph):
        from paddlelite import lite

        call(sys.executable, "-m", "x2paddle.convert", "--framework=onnx", f"--model={source}", f"--save_dir={directory}",
             "--disable_feedback=True")
        optimizer = lite.Opt()
        optimizer.set_model_file(str(directory / "inference_model/model.pdmodel"))
        optimizer.set_param_file(str(directory / "inference_model/model.pdiparams"))
        optimizer.set_valid_places("x86")
        optimizer.set_optimize_out(str(directory / "model"))
        optimizer.run()


RUNTIMES = {"onnxruntime": OnnxRuntime, "openvino": OpenVino, "litert": LiteRt, "mnn": Mnn, "ncnn": Ncnn, "paddle-lite": PaddleLite}


def feed_of(inputs, ids, types, length):
    """Returns every array that a graph may have as an input, int64 of shape (1, length), padded with zeros.

    The BiLSTM of two texts for edge runtimes reads each text from an input of its own, without padding.
    """
    padding = (0, length - len(ids))
    arrays = {"input_ids": ids[types == 0], "second_input_ids": ids[types == 1]} if "second_input_ids" in inputs else {
        "input_ids": numpy.pad(ids, padding),
        "attention_mask": numpy.pad(numpy.ones_like(ids), padding),
        "token_type_ids": numpy.pad(types, padding),
        "position_ids": numpy.arange(length, dtype=numpy.int64),
    }
    return {name: numpy.ascontiguousarray(array[None]) for name, array in arrays.items()}


def tokens(export, work, sentences):
    import onnxruntime
    import tokenizers

    export, work = pathlib.Path(export), pathlib.Path(work)
    tokenizer = tokenizers.Tokenizer.from_file(str(export / "tokenizer.json"))
    tokenizer.no_padding()
    config = json.loads((export / "config.json").read_text())
    if "max_position_embeddings" in config:
        tokenizer.enable_truncation(config["max_position_embeddings"])
    lines = [line for line in pathlib.Path(sentences).read_text(encoding="utf-8").splitlines() if line.strip()]
    pairs = list(zip(lines, lines[1:] + lines[:1]))
    encodings = tokenizer.encode_batch(pairs if config.get("text_pairs") else lines)
    arrays = {f"ids_{i}": numpy.array(encoding.ids, numpy.int64) for i, encoding in enumerate(encodings)}
    arrays.update({f"types_{i}": numpy.array(encoding.type_ids, numpy.int64) for i, encoding in enumerate(encodings)})
    numpy.savez(work / "tokens.npz", count=len(lines), **arrays)
    graphs = {}
    for file in export.glob("*/model.onnx"):
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        inputs = {tensor.name: "f32" if "float" in tensor.type else "i64" for tensor in session.get_inputs()}
        graphs[file.relative_to(export).as_posix()] = {"inputs": inputs, "output": session.get_outputs()[0].name}
    (work / "graphs.json").write_text(json.dumps(graphs, indent=1))


def examples(work):
    """Yields the number, the ids and the token types of every sentence."""
    with numpy.load(pathlib.Path(work) / "tokens.npz") as arrays:
        for index in range(int(arrays["count"])):
            yield index, arrays[f"ids_{index}"], arrays[f"types_{index}"]


def reference(file, work):
    model = OnnxRuntime(file, "float32")
    outputs = {f"output_{i}": model.run(feed_of(model.inputs, ids, types, len(ids)))[0] for i, ids, types in examples(work)}
    numpy.savez(pathlib.Path(work) / "reference.npz", **outputs)


def convert(runtime, weights, source, directory, work):
    graphs = json.loads((pathlib.Path(work) / "graphs.json").read_text())
    graph = next((graph for name, graph in graphs.items() if source.endswith(name)), None)
    RUNTIMES[runtime].convert(weights, pathlib.Path(source), pathlib.Path(directory), graph)


def quantize(runtime, directory):
    RUNTIMES[runtime].quantize(pathlib.Path(directory))


def compare(model, work):
    """Returns how the outputs for every sentence, alone and padded, differ from the reference's.

    A prediction is the class of a sentence, or the token at a position for a masked-LM head.
    """
    difference, padded_difference, close, same, predictions = 0.0, None, True, 0, 0
    with numpy.load(pathlib.Path(work) / "reference.npz") as outputs:
        for index, ids, types in examples(work):
            expected = outputs[f"output_{index}"]
            actual = model.run(feed_of(model.inputs, ids, types, len(ids)))[0]
            if actual.shape != expected.shape:
                raise RuntimeError(f"the output of sentence {index} has the shape {actual.shape}, not {expected.shape}")
            worst = float(numpy.abs(actual - expected).max())
            difference = max(difference, worst)
            same_here = actual.argmax(-1) == expected.argmax(-1)
            if "attention_mask" in model.inputs and len(ids) < PADDED_TOKENS:
                padded = model.run(feed_of(model.inputs, ids, types, PADDED_TOKENS))[0]
                padded = padded[: len(ids)] if padded.ndim > 1 else padded
                worst_padded = float(numpy.abs(padded - expected).max())
                padded_difference = max(padded_difference or 0.0, worst_padded)
                worst = max(worst, worst_padded)
                same_here &= padded.argmax(-1) == expected.argmax(-1)
            close = close and worst <= TOLERANCE * max(1.0, float(numpy.abs(expected).max()))
            same += int(numpy.sum(same_here))
            predictions += numpy.size(same_here)
    return {
        "difference": difference,
        "padded_difference": padded_difference,
        "close": close,
        "same_predictions": same,
        "predictions": predictions,
    }


def latency(model, work):
    """Returns the p50 and p95, in milliseconds, of runs with one text of 32 tokens, in the fastest of a few rounds.

    A single round would also measure other load on the machine.
    """
    ids = numpy.resize(numpy.concatenate([ids for _, ids, _ in examples(work)]), TIMED_TOKENS)
    pairs = any(types.any() for _, _, types in examples(work))
    feed = feed_of(model.inputs, ids, numpy.repeat([0, int(pairs)], TIMED_TOKENS // 2), TIMED_TOKENS)
    rounds = []
    for _ in range(TIMED_ROUNDS):
        times = []
        for _ in range(TIMED_RUNS):
            began = time.perf_counter()
            model.run(feed)
            times.append((time.perf_counter() - began) * 1000)
        rounds.append((statistics.median(times), sorted(times)[int(0.95 * TIMED_RUNS) - 1]))
    p50, p95 = min(rounds)
    return {"p50_ms": p50, "p95_ms": p95}


def measure(runtime, weights, file, work, result):
    kind = RUNTIMES[runtime]
    model = kind(pathlib.Path(file), weights)
    measured = {"version": importlib.metadata.version(kind.package), **compare(model, work), **latency(model, work)}
    pathlib.Path(result).write_text(json.dumps(measured, indent=1))


if __name__ == "__main__":
    commands = {"tokens": tokens, "reference": reference, "convert": convert, "quantize": quantize, "measure": measure}
    commands[sys.argv[1]](*sys.argv[2:])
