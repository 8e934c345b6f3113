"""Writes the golden files that our terms are compared with where they read stored soft labels, several teachers,
several layers or a projection: written out from their definitions, with PyTorch's autograd.

Run by `mvn -Pgolden` only, after make_goldens.py: python3 make_term_goldens.py [OUTPUT_DIR]

Computed in float64 from tensors of float32. Shapes: B batch, L length, V vocabulary, C classes, D teacher's width,
N tokens that have soft labels, K largest logits, U classes drawn. terms.safetensors holds what is read and, under
"grad.", the gradient of each mix to each student tensor; terms.json the value of each mix and of its terms.
"""

import pathlib
import sys

import torch

from make_goldens import IGNORED, save, write_json

LENGTHS = (4, 3, 2)
ROWS, LENGTH, VOCABULARY, CLASSES, NARROW, WIDTH = len(LENGTHS), max(LENGTHS), 12, 3, 4, 6
TEMPERATURE = 2.0
K = 4
DRAWS, DRAWN_AT = 10, 1.5  # the softmax's temperature that is drawn from
LAYER_MAP = (0, 1, 3)
SECOND_MAP = (0, 1, 2)
TEACHERS = (0.5, 2.0, 1.5)


def kl(student, teacher, temperature):
    """T^2 * the mean over rows of sum p log(p / q)."""
    p, q = (torch.softmax(logits / temperature, -1) for logits in (teacher, student))
    return temperature**2 * (p * (p / q).log()).sum(-1).mean()


def top_kl(student, teacher, temperature):
    """The divergence of K + 1 outcomes: the teacher's likeliest classes, and all others together."""
    total = 0.0
    for ours, theirs in zip(student, teacher):
        p, q = (torch.softmax(logits / temperature, -1) for logits in (theirs, ours))
        kept = set(p.argsort(descending=True)[:K].tolist())
        rest = [c for c in range(len(p)) if c not in kept]
        total += sum(p[c] * (p[c] / q[c]).log() for c in kept) + p[rest].sum() * (p[rest].sum() / q[rest].sum()).log()
    return temperature**2 * total / len(student)


def drawn_kl(student, teacher, draws, temperature):
    """sum p log p, which is known, less the mean over the draws of the student's log-probability."""
    total = 0.0
    for ours, theirs, own in zip(student, teacher, draws):
        p, q = (torch.softmax(logits / temperature, -1) for logits in (theirs, ours))
        total += (p * p.log()).sum() - sum(q[c].log() for c in own.tolist()) / len(own)
    return temperature**2 * total / len(student)


def cosine(student, teacher, real):
    return (1 - (student * teacher).sum(-1) / (student.norm(dim=-1) * teacher.norm(dim=-1)))[real].mean()


def squares(student, teacher, real):
    return (student - teacher).square().mean(-1)[real].mean()


def first_token(student, teacher):
    ours, theirs = (state[:, 0] / state[:, 0].norm(dim=-1, keepdim=True) for state in (student, teacher))
    return (ours - theirs).square().sum(-1).mean()


class Goldens:
    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)
        self.tensors, self.values = {}, {}

    def random(self, name, *shape):
        self.tensors[name] = torch.randn(*shape, generator=self.generator).double()
        return self.tensors[name]

    def trained(self, name, *shape):
        return self.random(name, *shape).requires_grad_()

    def record(self, mix, weighted, *students):
        """Takes a mix of terms, each with its weight, and the student's tensors that have a gradient."""
        loss = sum(weight * term for weight, term in weighted.values())
        self.values[mix] = loss.item()
        self.values |= {f"{mix}.{name}": term.item() for name, (_, term) in weighted.items()}
        read = [self.tensors[name] for name in students]
        for name, gradient in zip(students, torch.autograd.grad(loss, read, retain_graph=True)):
            self.tensors[f"grad.{mix}.{name}"] = gradient


def stored_soft_labels(goldens, real, labels):
    """Of a masked LM, both of the real tokens and of the masked ones."""
    student = goldens.trained("student_vocabulary", ROWS, LENGTH, VOCABULARY)
    teacher = 2 * torch.randn(ROWS, LENGTH, VOCABULARY, generator=goldens.generator).double()
    for positions, chosen in (("all", real), ("masked", labels != IGNORED)):
        theirs = teacher[chosen]
        largest, ids = theirs.topk(K)
        most = theirs.max(-1, keepdim=True).values
        p = torch.softmax(theirs / DRAWN_AT, -1)
        draws = torch.multinomial(p, DRAWS, replacement=True, generator=goldens.generator)
        goldens.tensors |= {
            f"{positions}.top_ids": ids,
            f"{positions}.top_logits": largest - most,
            f"{positions}.log_partition": torch.logsumexp((theirs - most) / TEMPERATURE, -1),
            f"{positions}.draws": draws.sort(-1).values,
            f"{positions}.entropy": -(p * p.log()).sum(-1)}
        top, drawn = top_kl(student[chosen], theirs, TEMPERATURE), drawn_kl(student[chosen], theirs, draws, DRAWN_AT)
        assert 0 < top < kl(student[chosen], theirs, TEMPERATURE)
        goldens.record(f"top.{positions}", {"soft-label": (1, top)}, "student_vocabulary")
        goldens.record(f"drawn.{positions}", {"soft-label": (1, drawn)}, "student_vocabulary")


def several_teachers(goldens, real):
    """Three teach logits; the first and the second hidden states, too, of layers of their own."""
    logits = goldens.trained("student_logits", ROWS, CLASSES)
    taught = [goldens.random(f"teacher_logits_{number}", ROWS, CLASSES) for number in range(3)]
    states = [goldens.tensors[f"student_wide_{layer}"] for layer in range(3)]
    first = [goldens.tensors[f"teacher_hidden_{layer}"] for layer in range(4)]
    second = [goldens.random(f"second_hidden_{layer}", ROWS, LENGTH, WIDTH) for layer in range(3)]
    classes = goldens.tensors["classes"] = torch.tensor([2, 0, 1])

    soft = sum(w * kl(logits, theirs, TEMPERATURE) for w, theirs in zip(TEACHERS, taught)) / sum(TEACHERS)
    hidden = [sum(squares(states[layer], theirs[own[layer]], real) for layer in (1, 2))
              for theirs, own in ((first, LAYER_MAP), (second, SECOND_MAP))]
    hidden = (TEACHERS[0] * hidden[0] + TEACHERS[1] * hidden[1]) / (TEACHERS[0] + TEACHERS[1])
    hard = -torch.log_softmax(logits, -1)[range(ROWS), classes].mean()
    goldens.record(
        "teachers",
        {"soft-label": (5, soft), "hard-label": (2, hard), "hidden-mse": (3, hidden),
         "embedding-mse": (7, squares(states[0], first[0], real))},
        "student_logits", *(f"student_wide_{layer}" for layer in range(3)))


def layers(goldens, real):
    """Cosines of a student as wide as its teacher, and all terms of states of a narrower one."""
    theirs = [goldens.random(f"teacher_hidden_{layer}", ROWS, LENGTH, WIDTH) for layer in range(4)]
    wide = [goldens.trained(f"student_wide_{layer}", ROWS, LENGTH, WIDTH) for layer in range(3)]
    of = {layer: cosine(wide[layer], theirs[LAYER_MAP[layer]], real) for layer in (1, 2)}
    goldens.record("cosine.last", {"hidden-cosine": (3, of[2])}, "student_wide_2")
    goldens.record("cosine.all", {"hidden-cosine": (3, of[1] + of[2])}, "student_wide_1", "student_wide_2")

    narrow = [goldens.trained(f"student_hidden_{layer}", ROWS, LENGTH, NARROW) for layer in range(3)]
    names = {"per_layer": ["projection.00.weight", "projection.01.weight", "projection.02.weight"],
             "shared": ["projection.embedding.weight", "projection.hidden.weight", "projection.hidden.weight"],
             "single": ["projection.weight"] * 3}
    for kind, weights in names.items():
        for name in sorted(set(weights)):
            goldens.trained(name, WIDTH, NARROW)
        projected = [torch.einsum("bln,wn->blw", state, goldens.tensors[name]) for state, name in zip(narrow, weights)]
        pairs = [(ours, theirs[layer]) for ours, layer in zip(projected, LAYER_MAP)]
        goldens.record(
            "projection." + kind,
            {"hidden-cosine": (7, cosine(*pairs[1], real) + cosine(*pairs[2], real)),
             "hidden-mse": (3, squares(*pairs[1], real) + squares(*pairs[2], real)),
             "embedding-mse": (5, squares(*pairs[0], real)),
             "first-token-mse": (2, first_token(*pairs[1]))},  # of all blocks but the last
            *sorted(set(weights)), *(f"student_hidden_{layer}" for layer in range(3)))


def main(output):
    torch.set_num_threads(1)
    goldens = Goldens(21)
    real = torch.arange(LENGTH) < torch.tensor(LENGTHS)[:, None]
    labels = torch.full(real.shape, IGNORED)
    labels[0, 1], labels[0, 3], labels[1, 2] = 3, 7, 0  # the last row has no masked token
    goldens.tensors |= {"attention_mask": real, "labels": labels}
    layers(goldens, real)
    several_teachers(goldens, real)
    stored_soft_labels(goldens, real, labels)
    save(output / "terms.safetensors", goldens.tensors)
    write_json(output / "terms.json", goldens.values)
    print("golden files of terms in", output, "made with torch", torch.__version__)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent).resolve())
