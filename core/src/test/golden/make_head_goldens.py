"""Writes the golden files that our gradients of heads' mask variables are compared with, from Hugging Face's BERT,
DistilBERT and ALBERT and PyTorch's autograd. The models and their rows are those of make_goldens.py.

Run by `mvn -Pgolden` only, never by a test run: python3 make_head_goldens.py [GOLDEN_DIR]

Made with Python 3.11, torch 2.15.0, transformers 5.24.0, on one CPU thread. transformers 5 takes no head_mask any more:
each head's context is multiplied by its variable where the output projection reads it. Each row is run alone and
unpadded, with Hugging Face's own loss. heads.safetensors holds "gradients", dL/dxi of rows, blocks and heads.
"""

import pathlib
import sys

import safetensors
import torch
import transformers
from safetensors.torch import save_file

OUTPUT_PROJECTIONS = {"bert": "attention.output.dense", "distilbert": "attention.out_lin", "albert": "attention.dense"}
AUTO = {"mlm": transformers.AutoModelForMaskedLM}


def gradients(directory):
    architecture, _, task, _ = directory.name.split("-")
    auto = AUTO.get(task, transformers.AutoModelForSequenceClassification)
    model = auto.from_pretrained(directory, attn_implementation="eager").eval()
    config = model.config
    with safetensors.safe_open(directory / "golden.safetensors", "pt") as file:
        rows = {name: file.get_tensor(name) for name in ("input_ids", "token_type_ids", "attention_mask", "labels")}
    layers, heads = config.num_hidden_layers, config.num_attention_heads
    projections = [m for n, m in model.named_modules() if n.endswith(OUTPUT_PROJECTIONS[architecture])]
    assert len(projections) == (1 if architecture == "albert" else layers)
    calls = []

    def multiplied(module, inputs):
        xi = variables[len(calls)]
        calls.append(module)
        context = inputs[0]
        return (context * xi.repeat_interleave(context.shape[-1] // heads),)

    for projection in projections:
        projection.register_forward_pre_hook(multiplied)
    all_rows = []
    for row in range(len(rows["input_ids"])):
        length = int(rows["attention_mask"][row].sum())
        labels = rows["labels"][row : row + 1]
        labels = labels if task == "reg" else labels.long()
        inputs = {"input_ids": rows["input_ids"][row : row + 1, :length].long(),
                  "labels": labels[:, :length] if task == "mlm" else labels}
        if architecture != "distilbert":
            inputs["token_type_ids"] = rows["token_type_ids"][row : row + 1, :length].long()
        variables = [torch.ones(heads, requires_grad=True) for _ in range(layers)]
        calls.clear()
        loss = model(**inputs).loss
        assert len(calls) == layers
        all_rows.append(torch.stack(torch.autograd.grad(loss, variables)))
    return torch.stack(all_rows)


def main(golden):
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for directory in sorted(golden.glob("*bert-tiny-*-v1")):
        path = directory / "heads.safetensors"
        save_file({"gradients": gradients(directory).contiguous()}, path)
        path.chmod(0o644)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
