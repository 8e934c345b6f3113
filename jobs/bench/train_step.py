"""The Python side of jobs/bench/train-step, and its results.

corpus TEACHER FILE            writes labelled rows of 32 tokens each, by the teacher's tokenizer
layers TEACHER STUDENT ...     prints the targets that these students need, as settings
shape STUDENT                  prints a student's sizes, as settings
steps N                        prints the number of steps of a run with N measured steps
own TEACHER DIR FROM TO        writes a random student as wide as the teacher, and the rows of one step, for the check
check TEACHER FILE DIR OURS    compares the loss terms of that student on these rows with those of our first step
loop TEACHER FILE STUDENT      trains a Hugging Face student from targets in memory; with --online, also from the teacher
ours DIR STUDENT               reads the steps of a `train` command
table DIR                      collects the runs in result.json and prints them
`check`, `loop` and `ours` print one JSON object per run and line. A student is LAYERSxWIDTH.
"""

import argparse
import itertools
import json
import random
import statistics
import time
from pathlib import Path

ROWS = 32  # per step
TOKENS = 32  # per row, including [CLS] and [SEP]
BATCHES = 16  # batches of rows, read in a cycle
WARM_UP = 5  # steps before the measured ones
PADDED = 128
HEADS = 12
DROPOUT = 0.1
SOFT_LABEL_WEIGHT = 50  # as in the recipe; the other terms' weights are 1
BASE = "python"
ONLINE = "python, teacher in the loop"


def shape_of(student):
    layers, width = map(int, student.split("x"))
    return layers, width, 1200 if width == 312 else 4 * width


def layers_of(teacher):
    return json.loads((Path(teacher) / "config.json").read_text())["num_hidden_layers"]


def layer_map(teacher_layers, layers):
    """Returns the teacher layer for each student layer, like `uniform` in a recipe; 0 is the embedding output."""
    assert teacher_layers % layers == 0, f"{layers} layers cannot be spread evenly over {teacher_layers}"
    return [layer * (teacher_layers // layers) for layer in range(layers + 1)]


def targets(teacher, students):
    """Returns settings for the mapped hidden states and scores, and the states below the mapped blocks, from which scores can be derived."""
    mapped = {t for s in students for t in layer_map(layers_of(teacher), shape_of(s)[0])}
    blocks = sorted(mapped - {0})
    return [f"targets.hidden={sorted(mapped | {b - 1 for b in blocks})}", f"targets.attention={blocks}"]


def settings(student):
    layers, width, inner = shape_of(student)
    return [
        f"student.layers={layers}",
        f"student.hidden-size={width}",
        f"student.heads={HEADS}",
        f"student.intermediate-size={inner}",
    ]


# ---- Text


def corpus(arguments):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(arguments.teacher)
    words = sorted(w for w in tokenizer.get_vocab() if w.isascii() and w.isalpha() and w.islower() and len(w) > 2)
    draw = random.Random(1)
    lines = ["sentence\tlabel"]
    for row in range(ROWS * BATCHES):
        text = " ".join(draw.choices(words, k=TOKENS - 2))
        assert len(tokenizer(text)["input_ids"]) == TOKENS, f"'{text}' is not {TOKENS} tokens"
        lines.append(f"{text}\t{row % 2}")
    Path(arguments.file).write_text("\n".join(lines) + "\n", encoding="utf-8")


def batches(teacher, file):
    """Returns the ids of the rows, (B, L), in batches of one step."""
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(teacher)
    texts = [line.split("\t")[0] for line in Path(file).read_text(encoding="utf-8").splitlines()[1:]]
    return torch.tensor(tokenizer(texts)["input_ids"]).split(ROWS)


# ---- Models. Suffixes of tensors are their shapes: B rows, L tokens, D width, H heads, C classes.


def scores_attention(module, query, key, value, attention_mask, scaling, dropout=0.0, **unused):
    """Computes transformers' eager attention, but returns raw scores instead of probabilities."""
    import torch

    scoresBHLL = torch.matmul(query, key.transpose(2, 3)) * scaling
    masked = scoresBHLL if attention_mask is None else scoresBHLL + attention_mask
    probabilities = torch.nn.functional.dropout(masked.softmax(-1), p=dropout, training=module.training)
    return torch.matmul(probabilities, value).transpose(1, 2).contiguous(), scoresBHLL


def transformers_with_scores():
    import transformers
    from transformers.masking_utils import AttentionMaskInterface, eager_mask

    transformers.AttentionInterface.register("scores", scores_attention)
    AttentionMaskInterface.register("scores", eager_mask)
    return transformers


def load(directory):
    return transformers_with_scores().BertForSequenceClassification.from_pretrained(
        directory, attn_implementation="scores"
    )


def student_model(student, dropout=DROPOUT):
    transformers = transformers_with_scores()
    layers, width, inner = shape_of(student)
    config = transformers.BertConfig(
        num_hidden_layers=layers,
        hidden_size=width,
        num_attention_heads=HEADS,
        intermediate_size=inner,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        num_labels=2,
        attn_implementation="scores",
    )
    return transformers.BertForSequenceClassification(config)


def forward(model, idsBL, maskBL=None):
    return model(input_ids=idsBL, attention_mask=maskBL, output_hidden_states=True, output_attentions=True)


# ---- The loss


def masked_mse(a, b, mask):
    """Returns the mean squared error over the positions where the mask is 1, or over all without a mask."""
    import torch

    if mask is None:
        return torch.nn.functional.mse_loss(a, b)
    return ((a - b) * mask).square().sum() / (mask.expand_as(a).sum())


def terms_of(output, hidden, attention, logits, mapped, projections, maskBL=None):
    """Returns the unweighted terms by name.

    hidden, attention: the teacher's, by layer; projections: from the student's to the teacher's width, by student layer
    """
    import torch.nn.functional as F

    tokens = None if maskBL is None else maskBL[:, :, None].float()
    pairs = None if maskBL is None else (maskBL[:, None, :, None] * maskBL[:, None, None, :]).float()
    states = [p(state) for p, state in zip(projections, output.hidden_states)] if projections else output.hidden_states
    return {
        "soft-label": F.kl_div(
            output.logits.log_softmax(-1), logits.log_softmax(-1), reduction="batchmean", log_target=True
        ),
        "embedding-mse": masked_mse(states[0], hidden[0], tokens),
        "hidden-mse": sum(masked_mse(states[s], hidden[t], tokens) for s, t in enumerate(mapped) if s),
        "attention-mse": sum(
            masked_mse(output.attentions[s - 1], attention[t], pairs) for s, t in enumerate(mapped) if s
        ),
    }


def weighted(terms):
    return sum(term * (SOFT_LABEL_WEIGHT if name == "soft-label" else 1) for name, term in terms.items())


def plain_terms_of(output, hidden, attention, logits, mapped):
    """Returns the same terms in float64, computed by their formulas, without projections or padding."""
    import numpy as np

    def numbers(tensor):
        return tensor.detach().double().numpy()

    def mse(a, b):
        return np.square(numbers(a) - numbers(b)).sum() / numbers(a).size

    def probabilities(tensor):
        e = np.exp(numbers(tensor))
        return e / e.sum(-1, keepdims=True)

    p, q = probabilities(logits), probabilities(output.logits)
    return {
        "soft-label": (p * np.log(p / q)).sum() / len(p),
        "embedding-mse": mse(output.hidden_states[0], hidden[0]),
        "hidden-mse": sum(mse(output.hidden_states[s], hidden[t]) for s, t in enumerate(mapped) if s),
        "attention-mse": sum(mse(output.attentions[s - 1], attention[t]) for s, t in enumerate(mapped) if s),
    }


# ---- The check


def own(arguments):
    import torch

    config = json.loads((Path(arguments.teacher) / "config.json").read_text())
    student = f"{config['num_hidden_layers'] // 2}x{config['hidden_size']}"
    torch.manual_seed(1)
    model = student_model(student, dropout=0.0)
    with torch.no_grad():  # large enough logits for the comparison
        model.classifier.weight.normal_(0, 0.2)
    model.save_pretrained(arguments.directory)
    for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json"):
        if (file := Path(arguments.teacher) / name).exists():
            (Path(arguments.directory) / name).write_bytes(file.read_bytes())
    lines = Path(arguments.origin).read_text(encoding="utf-8").splitlines(keepends=True)
    Path(arguments.to).write_text("".join(lines[: ROWS + 1]), encoding="utf-8")
    layers = [*range(1, shape_of(student)[0] + 1)]
    for setting in targets(arguments.teacher, [student]) + settings(student) + [f"student.init-layers={layers}"]:
        print(setting)


def check(arguments):
    import torch

    def of_the_cache(tensor):
        return tensor.half().float()

    (ids,) = batches(arguments.teacher, arguments.file)
    with torch.no_grad():
        teacher = forward(load(arguments.teacher).eval(), ids)
        student = load(arguments.directory).eval()
        output = forward(student, ids)
    mapped = layer_map(layers_of(arguments.teacher), len(output.attentions))
    hidden = {t: of_the_cache(teacher.hidden_states[t]) for t in mapped}
    attention = {t: of_the_cache(teacher.attentions[t - 1]) for t in mapped[1:]}
    python = terms_of(output, hidden, attention, teacher.logits, mapped, None)
    padded_ids = torch.nn.functional.pad(ids, (0, PADDED - TOKENS))
    mask = torch.nn.functional.pad(torch.ones_like(ids), (0, PADDED - TOKENS))
    with torch.no_grad():
        longer = forward(student, padded_ids, mask)
        far = forward(load(arguments.teacher).eval(), padded_ids, mask)
    padded = terms_of(
        longer,
        {t: far.hidden_states[t] for t in mapped},
        {t: far.attentions[t - 1] for t in mapped[1:]},
        far.logits,
        mapped,
        None,
        mask,
    )
    plain = plain_terms_of(output, hidden, attention, teacher.logits, mapped)
    ours = json.loads((Path(arguments.ours) / "metrics.jsonl").read_text().splitlines()[0])
    assert ours["tokens"] == ROWS * TOKENS, f"our step had {ours['tokens']} tokens"
    for name, value in plain.items():
        row = {
            "scores": arguments.scores,
            "term": name,
            "plain": value,
            "python": float(python[name]),
            "python-padded": float(padded[name]),
            "ours": ours[name],
        }
        for side in ("python", "python-padded", "ours"):
            assert abs(row[side] - value) <= 2e-3 * abs(value), f"the terms differ: {row}"
        yield row


# ---- The runs


def loop(arguments):
    import torch

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    model = student_model(arguments.student).train()
    teacher_layers = layers_of(arguments.teacher)
    mapped = layer_map(teacher_layers, shape_of(arguments.student)[0])
    width = json.loads((Path(arguments.teacher) / "config.json").read_text())["hidden_size"]
    projections = torch.nn.ModuleList()
    if model.config.hidden_size != width:
        projections.extend(torch.nn.Linear(model.config.hidden_size, width, bias=False) for _ in mapped)
    named = [*model.named_parameters(), *projections.named_parameters()]
    parameters = [p for _, p in named]
    groups = [
        {"params": [p for n, p in named if not (n.endswith(".bias") or "LayerNorm" in n)], "weight_decay": 0.01},
        {"params": [p for n, p in named if n.endswith(".bias") or "LayerNorm" in n], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=5e-4, fused=True)
    ids = batches(arguments.teacher, arguments.file)

    def update(terms):
        weighted(terms).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return {name: float(term) for name, term in terms.items()}

    ready = [
        (
            {t: torch.randn(ROWS, TOKENS, width).half() for t in mapped},
            {t: torch.randn(ROWS, HEADS, TOKENS, TOKENS).half() for t in mapped[1:]},
            torch.randn(ROWS, 2),
        )
        for _ in ids
    ]

    def from_ready(n):
        hidden, attention, logits = ready[n]
        return update(
            terms_of(
                forward(model, ids[n]),
                {t: state.float() for t, state in hidden.items()},
                {t: scores.float() for t, scores in attention.items()},
                logits,
                mapped,
                projections,
            )
        )

    def from_teacher(idsBL, maskBL=None):
        with torch.no_grad():
            teacher = forward(taught, idsBL, maskBL)
        return update(
            terms_of(
                forward(model, idsBL, maskBL),
                dict(enumerate(teacher.hidden_states)),
                dict(enumerate(teacher.attentions, start=1)),
                teacher.logits,
                mapped,
                projections,
                maskBL,
            )
        )

    def online(n):
        return from_teacher(ids[n])

    def padded(n):
        extra = (0, PADDED - TOKENS)
        pad = torch.nn.functional.pad
        return from_teacher(pad(ids[n], extra), pad(torch.ones_like(ids[n]), extra))

    kinds = [(BASE, from_ready, arguments.steps, WARM_UP)]
    if arguments.online:
        taught = load(arguments.teacher).eval()
        kinds.append((ONLINE, online, max(3, arguments.steps // 2), 2))
        if not arguments.malloc:
            kinds.append((f"{ONLINE}, padded to {PADDED}", padded, max(2, arguments.steps // 8), 1))
    for name, step, steps, warm_up in kinds:
        seconds = []
        for n in itertools.islice(itertools.cycle(range(len(ids))), warm_up + steps):
            began = time.perf_counter()
            terms = step(n)
            seconds.append(time.perf_counter() - began)
        yield run(name + arguments.malloc, arguments.student, seconds[warm_up:]) | {
            "parameters": sum(p.numel() for p in model.parameters()),
            "last-terms": terms,
            "torch": torch.__version__,
        }


def run(name, student, seconds):
    """Returns the speed of the median step and of all steps."""
    return {
        "name": name,
        "student": student,
        "steps": len(seconds),
        "tokens-per-second": ROWS * TOKENS / statistics.median(seconds),
        "tokens-per-second-of-all-steps": ROWS * TOKENS * len(seconds) / sum(seconds),
    }


def ours(arguments):
    home = Path(arguments.directory)
    steps = [json.loads(line) for line in (home / "metrics.jsonl").read_text().splitlines()]
    assert {step["tokens"] for step in steps} == {ROWS * TOKENS}, "a step did not consist of 32 rows of 32 tokens"
    steps = steps[WARM_UP:]
    seconds = [step["seconds"] for step in steps]
    yield run(arguments.name, arguments.student, seconds) | {
        "wait-share": sum(step["wait-seconds"] for step in steps) / sum(seconds),
        "parameters": json.loads((home / "training.json").read_text())["model"]["parameters"],
    }


# ---- The table


def table(arguments):
    home = Path(arguments.directory)
    runs = [json.loads(line) for line in (home / "runs.jsonl").read_text().splitlines()]
    checks = [json.loads(line) for line in (home / "check.jsonl").read_text().splitlines()]
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
    result = {
        "processor": cpu,
        "threads": arguments.threads,
        "rows-of-a-step": ROWS,
        "tokens-of-a-row": TOKENS,
        "students": {},
        "check": checks,
    }
    for student in dict.fromkeys(r["student"] for r in runs):
        some = [r for r in runs if r["student"] == student]
        sizes = {r["parameters"] for r in some}
        assert len(sizes) == 1, f"the two sides train different students: {sizes} parameters"
        result["students"][student] = of_student = {"parameters": sizes.pop(), "sides": {}, "ratios": {}}
        names = dict.fromkeys(r["name"] for r in some)
        print(
            f"\n{student}: {of_student['parameters']:,} parameters; steps of {ROWS} rows of {TOKENS} tokens; "
            f"threads {arguments.threads}; {cpu}"
        )
        print(f"{'':44}{'tokens/s':>9}{'least':>9}{'most':>9}{'all steps':>11}{'sentences/s':>13}{'wait':>7}")
        for name in sorted(names, key=lambda n: (n.startswith("ours"), ONLINE in n)):
            of_name = [r for r in some if r["name"] == name]
            rates = [r["tokens-per-second"] for r in of_name]
            side = {
                "tokens-per-second": statistics.median(rates),
                "sentences-per-second": statistics.median(rates) / TOKENS,
                "least": min(rates),
                "most": max(rates),
                "tokens-per-second-of-all-steps": statistics.median(
                    r["tokens-per-second-of-all-steps"] for r in of_name
                ),
            }
            wait = ""
            if "wait-share" in of_name[0]:
                side["wait-share"] = statistics.median(r["wait-share"] for r in of_name)
                wait = f"{side['wait-share']:7.1%}"
            of_student["sides"][name] = side
            print(
                f"{name:44}{side['tokens-per-second']:9.0f}{side['least']:9.0f}{side['most']:9.0f}"
                f"{side['tokens-per-second-of-all-steps']:11.0f}{side['sentences-per-second']:13.1f}{wait}"
            )
        sides = of_student["sides"]
        for name, base in itertools.product(sides, sides):
            if name.startswith("ours") and not base.startswith("ours"):
                of_student["ratios"][f"{name} / {base}"] = (
                    sides[name]["tokens-per-second"] / sides[base]["tokens-per-second"]
                )
        for name, ratio in of_student["ratios"].items():
            print(f"{name:68}{ratio:8.2f}")
    furthest = max(abs(c[side] / c["plain"] - 1) for c in checks for side in ("python", "python-padded", "ours"))
    print(f"\nloss terms of one step: ours and Python's are within {furthest:.1e} of the plain formulas")
    result["runs"] = runs
    (home / "result.json").write_text(json.dumps(result, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    def command(name, function, *positional):
        added = commands.add_parser(name)
        for argument in positional:
            added.add_argument(argument)
        added.set_defaults(run=function)
        return added

    command("corpus", corpus, "teacher", "file")
    command("layers", lambda a: print("\n".join(targets(a.teacher, a.students))), "teacher").add_argument(
        "students", nargs="+"
    )
    command("shape", lambda a: print("\n".join(settings(a.student))), "student")
    command("steps", lambda a: print(WARM_UP + int(a.measured)), "measured")
    command("own", own, "teacher", "directory", "origin", "to")
    command("check", check, "teacher", "file", "directory", "ours").add_argument("--scores", required=True)
    added = command("loop", loop, "teacher", "file", "student")
    added.add_argument("--steps", type=int, required=True)
    added.add_argument("--threads", type=int, required=True)
    added.add_argument("--malloc", default="", help="suffix of the names that describes the allocator; leaves out the padded run")
    added.add_argument("--online", action="store_true", help="also train with the teacher in the loop")
    command("ours", ours, "directory", "student").add_argument("--name", required=True)
    command("table", table, "directory").add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    for result in arguments.run(arguments) or []:
        print(json.dumps(result), flush=True)


main()
