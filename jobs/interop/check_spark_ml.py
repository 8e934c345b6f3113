"""Checks the stages for Spark ML pipelines in PySpark, and compares their outputs with those of Hugging Face's transformers.

check_spark_ml.py MODEL_DIR [SENTENCES], run by spark-submit with stillhouse.jar in --jars and --py-files

SENTENCES has one text per line; sentences.txt by default. A BiLSTM, which transformers does not have, is compared with its model.pt.

Embeddings are pooled as in sentence-transformers' Pooling: the mean of the last hidden states over the attention mask, or the state of
the first token.
"""

import functools
import json
import pathlib
import shutil
import sys
import tempfile

import numpy
from outcome import Skip, expect, run
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import SQLTransformer
from pyspark.sql import SparkSession
from stillhouse.spark import TextClassifier, TextEmbedder

TOLERANCE = 1e-4
MODEL = sys.argv[1]
FILE = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else pathlib.Path(__file__).parent / "sentences.txt"
SENTENCES = FILE.read_text(encoding="utf-8").splitlines()
BILSTM = json.loads((pathlib.Path(MODEL) / "config.json").read_text())["model_type"] == "stillhouse-bilstm"


@functools.cache
def table():
    rows = list(enumerate(SENTENCES))
    return SparkSession.active().createDataFrame(rows, "id int, text string").repartition(3)


def column(stage):
    return [row[0] for row in stage.transform(table()).orderBy("id").select(stage.getOutputCol()).collect()]


@functools.cache
def theirs():
    """Returns the names of the classes, and for the sentences probabilities, mean and first of the last hidden states."""
    import torch
    import transformers

    if BILSTM:
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=f"{MODEL}/tokenizer.json")
        names = json.loads((pathlib.Path(MODEL) / "config.json").read_text())["id2label"]
        model = torch.jit.load(f"{MODEL}/model.pt").eval()
        with torch.inference_mode():
            logits = [model(torch.tensor([tokenizer(sentence)["input_ids"]])) for sentence in SENTENCES]
        return [names[str(label)] for label in range(len(names))], torch.cat(logits).softmax(-1).numpy(), None, None
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(MODEL, dtype=torch.float32).eval()
    inputs = tokenizer(SENTENCES, return_tensors="pt", truncation=True, max_length=model.config.max_position_embeddings, padding=True)
    with torch.inference_mode():
        probabilities = model(**inputs).logits.softmax(-1)
        hidden = model.base_model(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1).float()
        mean = (hidden * mask).sum(1) / mask.sum(1)
    names = [model.config.id2label[label] for label in range(model.config.num_labels)]
    return names, probabilities.numpy(), mean.numpy(), hidden[:, 0].numpy()


def equal(ours, expected):
    ours = numpy.array(ours)
    expect(ours.shape == expected.shape, f"shape {ours.shape}, not {expected.shape}")
    difference = numpy.abs(ours - expected).max()
    expect(difference <= TOLERANCE, f"they differ by {difference:.1e}, more than {TOLERANCE:.0e}")
    return f"{len(ours)} sentences, largest difference {difference:.1e}"


def probabilities():
    classified = column(TextClassifier(modelUrl=MODEL, inputCol="text", outputCol="classes"))
    names, expected, _, _ = theirs()
    return equal([[dict(zip(c.class_names, c.probabilities))[name] for name in names] for c in classified], expected)


def embeddings(pooling):
    if BILSTM:
        raise Skip("a BiLSTM has no hidden state for each token")
    stage = TextEmbedder(modelUrl=MODEL, inputCol="text", outputCol="vector", pooling=pooling, normalize=False)
    return equal(column(stage), theirs()[{"mean": 2, "cls": 3}[pooling]])


def normalized():
    if BILSTM:
        raise Skip("a BiLSTM has no hidden state for each token")
    mean = theirs()[2]
    return equal(column(TextEmbedder(modelUrl=MODEL, inputCol="text")), mean / numpy.linalg.norm(mean, axis=1, keepdims=True))


def pipelines():
    """Saves and loads a pipeline and its model, moves them, and compares what they compute."""
    with tempfile.TemporaryDirectory() as directory:
        classifier = TextClassifier(modelUrl=MODEL, inputCol="text", outputCol="classes", topK=1)
        best = SQLTransformer(statement="SELECT id, classes.class_names[0] AS best FROM __THIS__")
        pipeline = Pipeline(stages=[classifier, best])
        fitted = pipeline.fit(table())
        expected = fitted.transform(table()).orderBy("id").collect()
        pipeline.save(f"{directory}/first/pipeline")
        fitted.save(f"{directory}/first/model")
        classifier.save(f"{directory}/first/stage")
        shutil.move(f"{directory}/first", f"{directory}/second")
        loaded = PipelineModel.load(f"{directory}/second/model")
        expect(type(loaded.stages[0]) is TextClassifier, f"the first stage is a {type(loaded.stages[0])}")
        expect(loaded.stages[0].getTopK() == 1, f"topK is {loaded.stages[0].getTopK()}")
        expect(loaded.transform(table()).orderBy("id").collect() == expected, "the loaded model computes other classes")
        again = Pipeline.load(f"{directory}/second/pipeline").fit(table())
        expect(again.transform(table()).orderBy("id").collect() == expected, "the loaded pipeline computes other classes")
        url = TextClassifier.load(f"{directory}/second/stage").getModelUrl()
        expect(url == f"file:{directory}/second/stage/model", f"modelUrl is {url}")
    return "saved, moved and loaded"


def mistakes():
    try:
        TextClassifier(modelUrl="nowhere", inputCol="text").transform(table())
    except ValueError as error:
        expect("modelUrl does not exist: 'nowhere'" in str(error), f"the message is {error}")
        return str(error)
    raise AssertionError("a missing model was accepted")


if __name__ == "__main__":
    SparkSession.builder.getOrCreate()
    run({
        "pyspark computes the probabilities of transformers": probabilities,
        "pyspark computes the mean pooling of transformers": lambda: embeddings("mean"),
        "pyspark computes the CLS pooling of transformers": lambda: embeddings("cls"),
        "pyspark normalizes embeddings": normalized,
        "pyspark saves and loads pipelines": pipelines,
        "pyspark reports mistakes": mistakes,
    })
