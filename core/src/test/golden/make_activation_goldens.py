"""Writes the golden files that our encoders' other activation functions are compared with, from Hugging Face's BERT,
DistilBERT and ALBERT. Rows and random weights are made as in make_goldens.py, whose functions this script uses.

Run by `mvn -Pgolden` only, never by a test run: python3 make_activation_goldens.py [GOLDEN_DIR]

Made with Python 3.11, torch 2.15.0, transformers 5.24.0, on one CPU thread.
"""

import pathlib
import sys

import make_goldens
import torch
import transformers


def main(output):
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    plain = make_goldens.batch(1)
    masked, masked_labels = make_goldens.masked_language(plain)
    classes = torch.tensor([2, 0, 1, 2])
    albert = make_goldens.albert_config()
    albert.hidden_act = "gelu_new"  # what the released ALBERTs have
    cases = {
        "albert-gelu_new-mlm-v1": (transformers.AlbertForMaskedLM, albert, masked, masked_labels),
        "bert-relu-mlm-v1": (
            transformers.BertForMaskedLM, make_goldens.config(hidden_act="relu"), masked, masked_labels),
        "bert-gelu_pytorch_tanh-cls-v1": (
            transformers.BertForSequenceClassification,
            make_goldens.config(hidden_act="gelu_pytorch_tanh", num_labels=3), plain, classes),
        "distilbert-relu-cls-v1": (
            transformers.DistilBertForSequenceClassification,
            make_goldens.distilbert_config(activation="relu", num_labels=3), plain, classes),
    }
    for seed, (name, (kind, settings, inputs, labels)) in enumerate(cases.items()):
        directory = output / name
        model = make_goldens.randomised(kind(settings), 100 + seed)
        model.save_pretrained(directory)
        (directory / "model.safetensors").chmod(0o644)
        (directory / "vocab.txt").write_text("\n".join(make_goldens.vocabulary()) + "\n")
        family = name.split("-")[0]
        golden = make_goldens.forward_and_gradients(model, family, inputs, labels)
        make_goldens.save(directory / "golden.safetensors", golden)
    print("golden files of", ", ".join(cases), "in", output)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent).resolve())
