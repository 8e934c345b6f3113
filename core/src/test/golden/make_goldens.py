"""Writes the golden files that our encoder, losses and optimizer are compared with, from Hugging Face's BERT,
DistilBERT and ALBERT.

Run by `mvn -Pgolden` only, never by a test run: python3 make_goldens.py [OUTPUT_DIR]

Made with Python 3.11, torch 2.15.0, transformers 5.24.0, safetensors 0.8.0, numpy 2.4.6, on one CPU thread;
versions.json beside this file says what made the files that lie there.

Everything is float32, ids and masks too: our safetensors reader knows no other type. Shapes: B batch 4, L length 12,
D hidden 32, H heads 4, V vocabulary 120, C classes. "Real" means attention_mask = 1.
"""

import copy
import json
import pathlib
import platform
import re
import sys

import numpy
import safetensors
import torch
import transformers
from safetensors.torch import save_file
from torch.nn import functional as F

LENGTHS = (12, 9, 5, 3)
LENGTH = max(LENGTHS)
VOCABULARY, WIDTH, LAYERS, HEADS = 120, 32, 3, 4
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CLS, SEP, MASK, FIRST_WORD = 2, 3, 4, 5
IGNORED = -100  # what Hugging Face's losses skip


def vocabulary():
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    words = "the of and to in is was for on that with as it by at from his he not be are had were which this an".split()
    entries = [*SPECIALS, *letters, *("##" + c for c in letters), *"0123456789", *".,!?'-:;", *words, "##ing", "##ed"]
    entries += [f"[unused{i}]" for i in range(VOCABULARY - len(entries))]
    assert len(entries) == len(set(entries)) == VOCABULARY
    return entries


def config(**more):
    return transformers.BertConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        intermediate_size=64, max_position_embeddings=40, type_vocab_size=2, layer_norm_eps=1e-12,
        initializer_range=0.2, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        attn_implementation="eager", **more)


def distilbert_config(**more):
    return transformers.DistilBertConfig(
        vocab_size=VOCABULARY, dim=WIDTH, n_layers=LAYERS, n_heads=HEADS, hidden_dim=64, max_position_embeddings=40,
        initializer_range=0.2, dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0,
        attn_implementation="eager", **more)


def albert_config(**more):
    return transformers.AlbertConfig(
        vocab_size=VOCABULARY, embedding_size=20, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        intermediate_size=64, max_position_embeddings=40, type_vocab_size=2, layer_norm_eps=1e-12, hidden_act="gelu",
        initializer_range=0.2, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, classifier_dropout_prob=0.0,
        attn_implementation="eager", **more)


# The names of BERT's tensors for those of the others: gradients are kept under BERT's.
BERTS_NAMES = {
    "bert": [],
    "distilbert": [
        (r"^distilbert\.transformer\.", "bert.encoder."), (r"^distilbert\.", "bert."),
        (r"attention\.q_lin\.", "attention.self.query."), (r"attention\.k_lin\.", "attention.self.key."),
        (r"attention\.v_lin\.", "attention.self.value."), (r"attention\.out_lin\.", "attention.output.dense."),
        (r"\.sa_layer_norm\.", ".attention.output.LayerNorm."), (r"\.ffn\.lin1\.", ".intermediate.dense."),
        (r"\.ffn\.lin2\.", ".output.dense."), (r"\.output_layer_norm\.", ".output.LayerNorm."),
        (r"^pre_classifier\.", "bert.pooler.dense."), (r"^vocab_transform\.", "cls.predictions.transform.dense."),
        (r"^vocab_layer_norm\.", "cls.predictions.transform.LayerNorm."),
        (r"^vocab_projector\.bias$", "cls.predictions.bias")],
    "albert": [
        (r"^albert\.pooler\.", "bert.pooler.dense."), (r"^albert\.", "bert."),
        (r"albert_layer_groups\.0\.albert_layers\.0\.", "layer.0."),
        (r"attention\.(query|key|value)\.", r"attention.self.\1."),
        (r"attention\.(dense|LayerNorm)\.", r"attention.output.\1."),
        (r"\.ffn\.", ".intermediate.dense."), (r"\.ffn_output\.", ".output.dense."),
        (r"\.full_layer_layer_norm\.", ".output.LayerNorm."),
        (r"^predictions\.(dense|LayerNorm)\.", r"cls.predictions.transform.\1."),
        (r"^predictions\.bias$", "cls.predictions.bias")],
}


def berts_name(family, name):
    for pattern, replacement in BERTS_NAMES[family]:
        name = re.sub(pattern, replacement, name)
    return name


def randomised(model, seed):
    """Fills every parameter, biases and LayerNorm too, so that none of them can be forgotten unseen."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(0.0, 0.2, generator=generator)
            if re.search(r"(LayerNorm|layer_norm)\.weight$", name):
                parameter.add_(1.0)
    return model.eval()


def batch(seed):
    """Four rows: [CLS] words [SEP] words [SEP], the second segment's type 1; padded with id 0, type 0."""
    generator = torch.Generator().manual_seed(seed)
    ids, types, mask = (torch.zeros(len(LENGTHS), LENGTH, dtype=torch.long) for _ in range(3))
    for row, length in enumerate(LENGTHS):
        ids[row, :length] = torch.randint(FIRST_WORD, VOCABULARY, (length,), generator=generator)
        ids[row, 0], ids[row, length - 1] = CLS, SEP
        if length > 4:
            ids[row, length // 2] = SEP
            types[row, length // 2 + 1:length] = 1
        mask[row, :length] = 1
    return {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}


def masked_language(inputs):
    """Hides four words; their labels are the words that stood there, all others are ignored."""
    ids = inputs["input_ids"].clone()
    labels = torch.full_like(ids, IGNORED)
    for row, position in ((0, 1), (0, 8), (1, 2), (2, 3), (3, 1)):
        labels[row, position] = ids[row, position]
        ids[row, position] = MASK
    return {**inputs, "input_ids": ids}, labels


def projections(model, family, layer):
    """The query and key layers of a block."""
    if family == "distilbert":
        attention = model.distilbert.transformer.layer[layer].attention
        return attention.q_lin, attention.k_lin
    attention = (model.bert.encoder.layer[layer].attention.self if family == "bert"
                 else model.albert.encoder.albert_layer_groups[0].albert_layers[0].attention)
    return attention.query, attention.key


def raw_scores(model, family, layer, hidden):
    """q.k / sqrt(d) before the mask, (B, H, L, L), from the layer's input."""
    query, key = (projection(hidden).view(*hidden.shape[:2], HEADS, -1).transpose(1, 2)
                  for projection in projections(model, family, layer))
    return query @ key.transpose(2, 3) / query.shape[-1] ** 0.5


def read_by(family, inputs):
    return {n: t for n, t in inputs.items() if family != "distilbert" or n != "token_type_ids"}


def forward_and_gradients(model, family, inputs, labels):
    out = model(**read_by(family, inputs), labels=labels, output_hidden_states=True, output_attentions=True)
    out.loss.backward()
    golden = {**inputs, "labels": labels, "logits": out.logits, "loss": out.loss}
    assert len(out.hidden_states) == LAYERS + 1
    for index, hidden in enumerate(out.hidden_states):
        golden[f"hidden_{index:02d}"] = hidden
    hides = (1.0 - inputs["attention_mask"][:, None, None, :]) * torch.finfo(torch.float32).min
    for layer in range(LAYERS):
        scores = raw_scores(model, family, layer, out.hidden_states[layer])
        torch.testing.assert_close(torch.softmax(scores + hides, -1), out.attentions[layer])
        golden[f"attention_{layer + 1:02d}"] = scores
    if family == "bert" and model.bert.pooler is not None:
        golden["pooled"] = model.bert.pooler(out.hidden_states[-1])
    for name, parameter in model.named_parameters():  # a tied tensor comes once, under its first name
        golden["grad." + berts_name(family, name)] = parameter.grad
    return golden


def ten_steps(model, inputs, labels):
    """PyTorch's AdamW: no decay on biases and LayerNorm, gradients clipped to a global norm of 1."""
    def is_bare(name):
        return name.endswith("bias") or re.search("LayerNorm|layer_norm", name)

    bare = [p for n, p in model.named_parameters() if is_bare(n)]
    decayed = [p for n, p in model.named_parameters() if not is_bare(n)]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.01}, {"params": bare, "weight_decay": 0.0}],
        lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    losses, norms = [], []
    model.train()
    for _ in range(10):
        optimizer.zero_grad()
        loss = model(**inputs, labels=labels).loss
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "gradient_norms": norms}


def distillation_losses():
    """DistilBERT's and TinyBERT's terms on random tensors with padding: value and gradient to the student."""
    generator = torch.Generator().manual_seed(7)
    classes, heads, width, temperature = 20, 3, 8, 2.0
    tensors, values = {}, {}

    def pair(name, *shape):
        for side in ("student", "teacher"):
            tensors[f"{side}_{name}"] = torch.randn(*shape, generator=generator)
        return tensors[f"student_{name}"].requires_grad_(), tensors[f"teacher_{name}"]

    def record(name, student, loss):
        values[name] = loss.item()
        tensors["grad." + name], = torch.autograd.grad(loss, student)

    def soft(student, teacher):
        divergence = torch.nn.KLDivLoss(reduction="batchmean")
        return divergence(F.log_softmax(student / temperature, -1), F.softmax(teacher / temperature, -1)) * temperature**2

    mask = tensors["attention_mask"] = batch(0)["attention_mask"]
    real = mask.bool()
    labels = tensors["labels"] = torch.full(real.shape, IGNORED)
    for row, position in ((0, 1), (0, 8), (1, 2), (2, 3)):  # the last row has no masked position
        labels[row, position] = int(torch.randint(classes, (), generator=generator))
    masked = labels != IGNORED

    student, teacher = pair("logits", len(LENGTHS), LENGTH, classes)
    record("soft_real", student, soft(student[real], teacher[real]))  # DistilBERT: every real token
    record("soft_masked", student, soft(student[masked], teacher[masked]))
    record("masked_lm", student, torch.nn.CrossEntropyLoss()(student.view(-1, classes), labels.view(-1)))
    student, teacher = pair("class_logits", len(LENGTHS), 3)
    record("soft_class", student, soft(student, teacher))
    student, teacher = pair("hidden", len(LENGTHS), LENGTH, width)
    ones = torch.ones(int(real.sum()))
    record("hidden_cosine", student, torch.nn.CosineEmbeddingLoss()(student[real], teacher[real], ones))
    record("hidden_mse", student, F.mse_loss(student[real], teacher[real]))
    student, teacher = pair("attention", len(LENGTHS), heads, LENGTH, LENGTH)
    pairs = (real[:, None, :, None] & real[:, None, None, :]).expand_as(student)
    record("attention_mse", student, F.mse_loss(student[pairs], teacher[pairs]))

    # Rows of several labels, rows whose classes weigh differently, scores.
    student, teacher = pair("label_logits", len(LENGTHS), 5)
    present = tensors["present"] = torch.randint(2, (len(LENGTHS), 5), generator=generator)
    record("binary", student, torch.nn.BCEWithLogitsLoss()(student, present.float()))
    bernoulli = [torch.distributions.Bernoulli(logits=logits / temperature) for logits in (teacher, student)]
    record("soft_binary", student, torch.distributions.kl_divergence(*bernoulli).mean() * temperature**2)
    record("soft_mse", student, F.mse_loss(student, teacher))
    student, _ = pair("weighted_logits", len(LENGTHS), 3)
    weights = tensors["class_weights"] = torch.tensor([0.5, 2.0, 1.25])
    classes = tensors["classes"] = torch.randint(3, (len(LENGTHS),), generator=generator)
    record("weighted", student, F.cross_entropy(student, classes, weight=weights, reduction="sum") / len(LENGTHS))
    student, scores = pair("score", len(LENGTHS), 1)
    record("squared_error", student, torch.nn.MSELoss()(student.squeeze(), scores.squeeze()))
    return tensors, {"temperature": temperature, "values": values}


RELATION_HEADS = 8  # divides the widths of teacher, 32, and student, 16


def cut(vectors, heads):
    """(L, D) as (heads, L, D / heads)."""
    return vectors.view(len(vectors), heads, -1).transpose(0, 1)


def divergence(student, teacher):
    """Mean over heads and queries of KL(teacher || student) of one row's scores, (H, L, L), all of them real."""
    total = F.kl_div(F.log_softmax(student, -1), F.softmax(teacher, -1), reduction="sum")
    return total / student.shape[0] / student.shape[1]


def relations(teacher, inputs):
    """MiniLM's, MiniLMv2's and PKD's terms of a narrower student, row by row without padding, through to its weights.

    Weights of the mixes are primes, so that no two terms can be taken for each other.
    """
    settings = config().to_dict() | {"hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 24}
    student = randomised(transformers.BertModel(transformers.BertConfig(**settings), add_pooling_layer=False), 11)
    layer_map = (0, 1, 3)
    generator = torch.Generator().manual_seed(12)
    embedding, hidden = (torch.randn(WIDTH, 16, generator=generator).mul(0.2).requires_grad_() for _ in range(2))
    tokens = int(inputs["attention_mask"].sum())

    def states(model):
        return model(**inputs, output_hidden_states=True).hidden_states

    def vectors(bert, layer, state):
        attention = bert.encoder.layer[layer].attention.self
        return {"query": attention.query(state), "key": attention.key(state), "value": attention.value(state)}

    with torch.no_grad():
        theirs = states(teacher.bert)
    ours = states(student)
    blocks = {}  # by student block, from 1: each term's mean over the real tokens of all rows
    for block in (1, 2):
        blocks[block] = dict.fromkeys(("attention", "query", "key", "value", "own-heads value"), 0.0)
        for row, length in enumerate(LENGTHS):
            with torch.no_grad():
                target = vectors(teacher.bert, layer_map[block] - 1, theirs[layer_map[block] - 1][row, :length])
            own = vectors(student, block - 1, ours[block - 1][row, :length])

            def product(of, left, right, heads):
                left, right = cut(of[left], heads), cut(of[right], heads)
                return left @ right.transpose(1, 2) / left.shape[-1] ** 0.5

            for term, left, right, heads in (
                    ("attention", "query", "key", HEADS), ("query", "query", "query", RELATION_HEADS),
                    ("key", "key", "key", RELATION_HEADS), ("value", "value", "value", RELATION_HEADS),
                    ("own-heads value", "value", "value", HEADS)):
                value = divergence(product(own, left, right, heads), product(target, left, right, heads))
                blocks[block][term] += value * length / tokens
    real = inputs["attention_mask"].bool()
    projected = [ours[0] @ embedding.T, ours[1] @ hidden.T, ours[2] @ hidden.T]
    errors = [F.mse_loss(projected[m][real], theirs[layer_map[m]][real]) for m in range(3)]
    first = (F.normalize(projected[1][:, 0], dim=-1) - F.normalize(theirs[layer_map[1]][:, 0], dim=-1)).square().sum(-1).mean()

    def mix(terms):
        return 2 * terms["attention"] + 3 * terms["query"] + 5 * terms["key"] + 7 * terms["value"]

    last = mix(blocks[2])
    mixes = {"last": last, "all": last + mix(blocks[1]), "minilm": 2 * blocks[2]["attention"] + 3 * blocks[2]["own-heads value"],
             "states": 2 * first + 3 * (errors[1] + errors[2]) + 5 * errors[0]}
    named = dict(student.named_parameters())
    trained = {**{"bert." + name: weight for name, weight in named.items()},
               "projection.embedding.weight": embedding, "projection.hidden.weight": hidden}
    tensors = {name: weight for name, weight in trained.items()}
    for name, loss in mixes.items():
        gradients = torch.autograd.grad(loss, list(trained.values()), retain_graph=True, allow_unused=True)
        tensors |= {f"grad.{name}.{key}": grad for key, grad in zip(trained, gradients) if grad is not None}
    values = {term: value.item() for term, value in blocks[2].items()}
    values |= {"first-token": first.item(), "hidden": (errors[1] + errors[2]).item(), "embedding": errors[0].item()}
    values |= {"mix." + name: loss.item() for name, loss in mixes.items()}
    return tensors, values


def save(path, tensors):
    save_file({n: t.detach().to(torch.float32).contiguous().clone() for n, t in tensors.items()}, path)
    path.chmod(0o644)


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def main(output):
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    plain = batch(1)
    masked, masked_labels = masked_language(plain)
    classes = torch.tensor([2, 0, 1, 2])
    cases = {
        "bert-tiny-mlm-v1": (transformers.BertForMaskedLM, config(), masked, masked_labels),
        "bert-tiny-cls-v1": (transformers.BertForSequenceClassification, config(num_labels=3), plain, classes),
        "bert-tiny-reg-v1": (transformers.BertForSequenceClassification, config(num_labels=1, problem_type="regression"),
                             plain, torch.tensor([0.5, 3.25, -1.0, 4.0])),
        "distilbert-tiny-mlm-v1": (transformers.DistilBertForMaskedLM, distilbert_config(), masked, masked_labels),
        "distilbert-tiny-cls-v1": (transformers.DistilBertForSequenceClassification, distilbert_config(num_labels=3),
                                   plain, classes),
        "albert-tiny-mlm-v1": (transformers.AlbertForMaskedLM, albert_config(), masked, masked_labels),
        "albert-tiny-cls-v1": (transformers.AlbertForSequenceClassification, albert_config(num_labels=3), plain, classes),
    }
    steps, after = {}, {}
    teacher = None
    for seed, (name, (kind, settings, inputs, labels)) in enumerate(cases.items()):
        family, _, task, _ = name.split("-")
        model = randomised(kind(settings), seed)
        directory = output / name
        model.save_pretrained(directory)
        (directory / "model.safetensors").chmod(0o644)
        (directory / "vocab.txt").write_text("\n".join(vocabulary()) + "\n")
        teacher = teacher or copy.deepcopy(model)
        save(directory / "golden.safetensors", forward_and_gradients(copy.deepcopy(model), family, inputs, labels))
        if task != "reg":
            key = task if family == "bert" else f"{family}-{task}"
            steps[key] = ten_steps(model, read_by(family, inputs), labels)
            for parameter_name, parameter in model.named_parameters():
                berts = berts_name(family, parameter_name)
                block = "layer.0." if family == "albert" else "layer.1."
                if block in berts and "key.bias" not in berts or not re.match(r"bert\.encoder\.layer\.", berts):
                    after[f"{key}.{berts}"] = parameter
    write_json(output / "ten_losses.json", steps)
    save(output / "after_ten.safetensors", after)

    tensors, values = distillation_losses()
    save(output / "losses.safetensors", tensors)
    write_json(output / "losses.json", values)

    tensors, values = relations(teacher, masked)
    save(output / "relations.safetensors", tensors)
    write_json(output / "relations.json", values)

    versions = {"python": platform.python_version(), "numpy": numpy.__version__, "safetensors": safetensors.__version__,
                "torch": torch.__version__, "transformers": transformers.__version__}
    write_json(output / "versions.json", versions)
    print("golden files in", output, "made with", ", ".join(f"{k} {v}" for k, v in versions.items()))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent).resolve())
