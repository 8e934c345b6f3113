"""Writes the golden files that our BiLSTM is compared with, from PyTorch's nn.LSTM over packed texts.

Run by `mvn -Pgolden` only, after make_goldens.py: python3 make_bilstm_goldens.py [OUTPUT_DIR]

Float32 and one thread, as there. The module below is also how a student of ours is loaded in Python: see main().
"""

import copy
import json
import pathlib
import sys

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

from make_goldens import CLS, FIRST_WORD, SEP, VOCABULARY, save, vocabulary, write_json

LENGTHS = (9, 12, 3, 5)  # of rows, not sorted; three tokens are two empty texts
CLASSES, SOFT, HARD = 3, 1.0, 0.5
SIZES = {"vocab_size": VOCABULARY, "word_vector_size": 24, "hidden_size": 12, "intermediate_size": 20}


class BiLstm(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.pairs = config["text_pairs"]
        hidden, inner = config["hidden_size"], config["intermediate_size"]
        self.embeddings = nn.Embedding(config["vocab_size"], config["word_vector_size"])
        self.lstm = nn.LSTM(config["word_vector_size"], hidden, bidirectional=True, batch_first=True)
        self.dense = nn.Linear(8 * hidden if self.pairs else 2 * hidden, inner)
        self.classifier = nn.Linear(inner, len(config["id2label"]))

    def last(self, texts):
        """The last states of both directions; texts are lists of token ids, special ones included."""
        lengths = torch.tensor([len(text) for text in texts])
        ids = nn.utils.rnn.pad_sequence([torch.as_tensor(text) for text in texts], batch_first=True)
        packed = pack_padded_sequence(self.embeddings(ids), lengths, batch_first=True, enforce_sorted=False)
        _, (last, _) = self.lstm(packed)
        return torch.cat([last[0], last[1]], dim=1)

    def forward(self, firsts, seconds=None):
        features = a = self.last(firsts)
        if self.pairs:
            b = self.last(seconds)
            features = torch.cat([a, b, a * b, (a - b).abs()], dim=1)
        return self.classifier(F.relu(self.dense(features)))


def batch(pairs):
    generator = torch.Generator().manual_seed(5)
    ids, types, mask = (torch.zeros(len(LENGTHS), max(LENGTHS), dtype=torch.long) for _ in range(3))
    for row, length in enumerate(LENGTHS):
        ids[row, :length] = torch.randint(FIRST_WORD, VOCABULARY, (length,), generator=generator)
        ids[row, 0], ids[row, length - 1] = CLS, SEP
        if pairs:
            cut = (length // 3, 2 * length // 3)[row % 2]  # now the second text is the longer one, now the first
            ids[row, cut] = SEP
            types[row, cut + 1:length] = 1
        mask[row, :length] = 1
    return {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}


def texts(inputs, kind):
    real = inputs["attention_mask"].bool()
    return [row[keep] for row, keep in zip(inputs["input_ids"], real & (inputs["token_type_ids"] == kind))]


def losses(model, inputs, labels, teacher):
    logits = model(texts(inputs, 0), texts(inputs, 1) if model.pairs else None)
    soft, hard = F.mse_loss(logits, teacher), F.cross_entropy(logits, labels)
    return logits, soft, hard, SOFT * soft + HARD * hard


def ten_steps(model, inputs, labels, teacher):
    """PyTorch's AdamW: no decay on biases, gradients clipped to a global norm of 1."""
    bare = [p for n, p in model.named_parameters() if "bias" in n]
    decayed = [p for n, p in model.named_parameters() if "bias" not in n]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.01}, {"params": bare, "weight_decay": 0.0}],
        lr=1e-2, betas=(0.9, 0.999), eps=1e-8)
    values, norms = [], []
    for _ in range(10):
        optimizer.zero_grad()
        loss = losses(model, inputs, labels, teacher)[-1]
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
        optimizer.step()
        values.append(loss.item())
    return {"losses": values, "gradient_norms": norms}


def main(output):
    torch.set_num_threads(1)
    labels = torch.tensor([2, 0, 1, 2])
    for seed, name in enumerate(("single", "pair")):
        directory = output / f"bilstm-tiny-{name}-v1"
        directory.mkdir(exist_ok=True)
        config = {
            "architectures": ["StillhouseBiLstmForSequenceClassification"], "model_type": "stillhouse-bilstm", **SIZES,
            "dropout": 0.0, "text_pairs": name == "pair", "problem_type": "single_label_classification",
            "id2label": {str(i): f"LABEL_{i}" for i in range(CLASSES)}}
        write_json(directory / "config.json", config)
        (directory / "vocab.txt").write_text("\n".join(vocabulary()) + "\n")
        generator = torch.Generator().manual_seed(seed)
        random = BiLstm(config)
        with torch.no_grad():
            for parameter in random.parameters():
                parameter.normal_(0.0, 0.4, generator=generator)
        save(directory / "model.safetensors", random.state_dict())

        model = BiLstm(json.loads((directory / "config.json").read_text()))
        model.load_state_dict(load_file(directory / "model.safetensors"))
        inputs = batch(name == "pair")
        teacher = torch.randn(len(LENGTHS), CLASSES, generator=generator)
        trained = copy.deepcopy(model)
        logits, soft, hard, loss = losses(model, inputs, labels, teacher)
        loss.backward()
        golden = {**inputs, "labels": labels, "teacher_logits": teacher, "logits": logits, "soft": soft, "hard": hard}
        save(directory / "golden.safetensors", {**golden, **{"grad." + n: p.grad for n, p in model.named_parameters()}})
        write_json(directory / "ten_losses.json", ten_steps(trained, inputs, labels, teacher))
        save(directory / "after_ten.safetensors", dict(trained.named_parameters()))
    print("golden files of a BiLSTM in", output, "made with torch", torch.__version__)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent).resolve())
