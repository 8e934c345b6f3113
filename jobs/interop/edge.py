"""Runs exported models in the runtimes of phones and other devices.

edge EXPORT... [--only NAME,...] [--sentences FILE] [--json FILE]

An EXPORT is a directory that `stillhouse export` wrote. Every runtime computes every sentence, as a batch of one with one thread, and the
outputs are compared with those of ONNX Runtime for onnx/model.onnx. Prints a Markdown table for each export; progress and errors go to
standard error, and the converted files and logs to jobs/target/edge. Each runtime gets a virtual environment of its own from edge-NAME.txt,
once. Exits with 1 if a runtime fails or its outputs differ.
"""

import argparse
import dataclasses
import functools
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE.parent / "target"
RUNNER = HERE / "edge_runtimes.py"
STEP_LIMIT_S = 900
SAME_PREDICTIONS = 0.9  # with int8 or float16 weights; with float32 weights, every output must be the same within a tolerance


class Skip(Exception):
    """Raised if a model cannot be run here."""


@dataclasses.dataclass(frozen=True)
class Variant:
    """A line of the table: a runtime with one kind of weights, and the environments that convert and run it."""

    runtime: str
    title: str
    weights: str
    note: str = ""
    source: str = "onnx/model.onnx"
    file: str = ""  # what the converter writes; empty if the runtime reads ONNX
    converter: str = ""  # its environment
    quantizer: str = ""  # an environment that replaces what the converter wrote
    lstm_source: str = "ncnn/model.onnx"  # empty if the runtime has no LSTM


VARIANTS = (
    Variant("onnxruntime", "ONNX Runtime", "float32", "the reference", lstm_source="onnx/model.onnx"),
    Variant("onnxruntime", "ONNX Runtime", "int8", "weights and activations",
            source="onnx/model_quantized.onnx", lstm_source="onnx/model_quantized.onnx"),
    Variant("openvino", "OpenVINO", "float32", "reads ONNX", lstm_source="onnx/model.onnx"),
    Variant("openvino", "OpenVINO", "int8", "reads ONNX", source="onnx/model_quantized.onnx", lstm_source="onnx/model_quantized.onnx"),
    Variant("litert", "LiteRT", "float32", "onnx2tf", file="model.tflite", converter="onnx2tf"),
    Variant("litert", "LiteRT", "int8", "onnx2tf, ai-edge-quantizer; weights and activations",
            file="model.tflite", converter="onnx2tf", quantizer="litert"),
    Variant("mnn", "MNN", "float32", "mnnconvert", file="model.mnn", converter="mnn"),
    Variant("mnn", "MNN", "float16", "mnnconvert; weights only", file="model.mnn", converter="mnn"),
    Variant("mnn", "MNN", "int8", "mnnconvert; weights only, without tables", file="model.mnn", converter="mnn"),
    Variant("ncnn", "ncnn", "float32", "pnnx", source="ncnn/model.onnx", file="model.ncnn.bin", converter="ncnn"),
    Variant("ncnn", "ncnn", "float16", "pnnx; weights and activations", source="ncnn/model.onnx", file="model.ncnn.bin", converter="ncnn"),
    Variant("paddle-lite", "Paddle Lite", "float32", "x2paddle", file="model.nb", converter="paddle-lite", lstm_source=""),
)
NOT_RUN = {
    "MACE": "not supported: its converter has to be built from source, lacks Erf, LayerNormalization and Gelu, and is of 2022",
    "ExecuTorch": "converts PyTorch modules only, see jobs/EXPORT.md",
    "Core ML": "runs on Apple devices only, see jobs/EXPORT.md",
}


def say(text: str) -> None:
    print(f"edge: {text}", file=sys.stderr, flush=True)


def run(log: pathlib.Path, *command: object) -> None:
    """Runs one step with one thread; appends its output to the log."""
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    with log.open("a", encoding="utf-8") as output:
        words = [str(word) for word in command]
        try:
            code = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, timeout=STEP_LIMIT_S,
                                  env={**os.environ, **threads}, check=False).returncode
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"stopped after {STEP_LIMIT_S} s, see {log}") from None
    if code:
        lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        raise RuntimeError(f"{lines[-1] if lines else 'no output'} (exit code {code}, see {log})")


def interpreters(version: str) -> list[str]:
    """Returns the commands and files that may be Python of this version."""
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv"))
    found = sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python")), reverse=True)
    if shutil.which("uv"):
        uv = subprocess.run(["uv", "python", "find", "--offline", version], capture_output=True, text=True, check=False)
        found += uv.stdout.split()
    return [sys.executable, f"python{version}", *found]


def interpreter(versions: list[str]) -> str:
    for version in versions:
        for candidate in interpreters(version):
            try:
                answer = subprocess.run([candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                                        capture_output=True, text=True, check=False)
            except OSError:
                continue
            if answer.stdout.strip() == version:
                return candidate
    raise Skip(f"needs Python {' or '.join(versions)}: install it as python{versions[0]}, with pyenv, or with uv")


@functools.cache
def environment(name: str) -> pathlib.Path:
    """Returns the Python of an environment, which is created again if its pins changed."""
    pins = HERE / f"edge-{name}.txt"
    text = pins.read_text()
    directory = TARGET / "edge-venv" / name
    python, installed = directory / "bin/python", directory / "installed.txt"
    if installed.exists() and installed.read_text() == text:
        return python
    base = interpreter(text.splitlines()[0].split()[2:])
    say(f"installing {name} ...")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    log = directory / "install.log"
    run(log, base, "-m", "venv", directory)
    # The files list every package: some packages depend on others, such as torch, that these steps do not use.
    run(log, python, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "-r", pins)
    installed.write_text(text)
    return python


class Export:
    """An export with the results of its variants."""

    def __init__(self, directory: pathlib.Path, sentences: pathlib.Path):
        self.directory = directory
        self.sentences = sentences
        self.work = TARGET / "edge" / directory.name
        config = json.loads((directory / "config.json").read_text())
        self.is_lstm = config["model_type"] == "stillhouse-bilstm"

    def prepare(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        python, log = environment("onnxruntime"), self.work / "prepare.log"
        run(log, python, RUNNER, "tokens", self.directory, self.work, self.sentences)
        run(log, python, RUNNER, "reference", self.directory / "onnx/model.onnx", self.work)
        self.has_classes = json.loads((self.work / "graphs.json").read_text())["onnx/model.onnx"]["output"] == "logits"

    def row(self, variant: Variant) -> dict:
        row = {"runtime": variant.title, "weights": variant.weights, "notes": variant.note}
        say(f"{self.directory.name}: {variant.title} {variant.weights} ...")
        try:
            row |= self.measured(variant)
            row["status"] = "passed"
            self.check(row)
        except Skip as reason:
            row |= {"status": "skipped", "notes": str(reason)}
        except Exception as problem:  # one runtime's failure must not hide the others' results
            row |= {"status": "FAILED", "notes": str(problem) or type(problem).__name__}
        if row["status"] != "passed":
            say(f"{self.directory.name}: {variant.title} {variant.weights}: {row['status']}: {row['notes']}")
        return row

    def source(self, variant: Variant) -> pathlib.Path:
        name = variant.lstm_source if self.is_lstm else variant.source
        if not name:
            raise Skip(f"{variant.title}'s converter has no LSTM")
        if not (self.directory / name).exists():
            raise Skip(f"the export has no {name}")
        return self.directory / name

    def measured(self, variant: Variant) -> dict:
        file = self.source(variant)
        directory = self.work / f"{variant.runtime}-{variant.weights}"
        directory.mkdir()
        log = directory / "log.txt"
        if variant.converter:
            run(log, environment(variant.converter), RUNNER, "convert", variant.runtime, variant.weights, file, directory, self.work)
            file = directory / variant.file
            if not file.exists():
                raise RuntimeError(f"the converter wrote no {variant.file}, see {log}")
        if variant.quantizer:
            run(log, environment(variant.quantizer), RUNNER, "quantize", variant.runtime, directory)
        result = directory / "result.json"
        run(log, environment(variant.runtime), RUNNER, "measure", variant.runtime, variant.weights, file, self.work, result)
        parts = [file, file.with_suffix(".param")] if file.suffix == ".bin" else [file]
        return {"file": file.name, "bytes": sum(part.stat().st_size for part in parts), **json.loads(result.read_text())}

    def check(self, row: dict) -> None:
        if not self.has_classes:
            row["same_predictions"] = None
        if row["weights"] == "float32":
            if not row["close"]:
                raise RuntimeError("its outputs are not those of ONNX Runtime")
        elif row["same_predictions"] is not None and row["same_predictions"] < SAME_PREDICTIONS * row["predictions"]:
            raise RuntimeError("fewer than 90 % of its predictions are those of ONNX Runtime")
        elif row["padded_difference"] and row["padded_difference"] > 3 * row["difference"]:
            raise RuntimeError("padding changes its outputs")


COLUMNS = {
    "Runtime": lambda row: row["runtime"],
    "Version": lambda row: row["version"],
    "Weights": lambda row: row["weights"],
    "MB": lambda row: f"{row['bytes'] / 1e6:.1f}",
    "Difference": lambda row: f"{row['difference']:.0e}",
    "Padded": lambda row: f"{row['padded_difference']:.0e}",
    "Same": lambda row: f"{row['same_predictions']:,} of {row['predictions']:,}",
    "p50 ms": lambda row: f"{row['p50_ms']:.2f}",
    "p95 ms": lambda row: f"{row['p95_ms']:.2f}",
    "Notes": lambda row: row["notes"] if row["status"] == "passed" else f"{row['status']}: {row['notes']}",
}


def cell(column: str, row: dict) -> str:
    try:
        return COLUMNS[column](row).replace("|", "\\|")
    except (KeyError, TypeError):  # not measured, or None
        return ""


def table(rows: list[dict]) -> str:
    lines = [list(COLUMNS), ["---"] * len(COLUMNS), *([cell(column, row) for column in COLUMNS] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="edge", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = sorted({variant.runtime for variant in VARIANTS})
    parser.add_argument("exports", nargs="+", type=pathlib.Path, metavar="EXPORT")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], metavar="NAME,...", help=", ".join(names))
    parser.add_argument("--sentences", type=pathlib.Path, default=HERE / "sentences.txt", metavar="FILE", help="one a line")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="where to write the results")
    given = parser.parse_args()
    for name in set(given.only) - set(names):
        parser.error(f"--only names '{name}', which is not one of {', '.join(names)}")
    for export in given.exports:
        for file in ("config.json", "tokenizer.json", "onnx/model.onnx"):
            if not (export / file).is_file():
                parser.error(f"{export} has no {file}; write it with stillhouse export")
    if not given.sentences.is_file():
        parser.error(f"there is no file {given.sentences}")
    if len({export.resolve().name for export in given.exports}) < len(given.exports):
        parser.error("the exports must have different names")
    return given


def main() -> int:
    given = arguments()
    results = []
    for directory in given.exports:
        export = Export(directory.resolve(), given.sentences.resolve())
        try:
            export.prepare()
        except RuntimeError as problem:
            say(f"{directory}: FAILED: {problem}")
            return 1
        rows = [export.row(variant) for variant in VARIANTS if not given.only or variant.runtime in given.only]
        if not given.only:
            rows += [{"runtime": name, "status": "skipped", "notes": reason} for name, reason in NOT_RUN.items()]
        results.append({"export": directory.name, "rows": rows})
        print(f"**{directory.resolve().name}**\n\n{table(rows)}\n", flush=True)
    if given.json:
        machine = {"processor": platform.processor() or platform.machine(), "system": platform.platform()}
        given.json.write_text(json.dumps({"machine": machine, "exports": results}, indent=1) + "\n", encoding="utf-8")
    states = [row["status"] for result in results for row in result["rows"]]
    say(f"{states.count('passed')} passed, {states.count('FAILED')} failed, {states.count('skipped')} skipped")
    return 1 if "FAILED" in states else 0


if __name__ == "__main__":
    sys.exit(main())
