"""Checks that Hugging Face's transformers loads Stillhouse's directories and computes the same logits.

check_huggingface.py TEACHER_DIR STUDENT_DIR LOGITS_DIR [OTHER_DIR ...]

LOGITS_DIR contains teacher.safetensors and student.safetensors, and one file for each OTHER_DIR, whose name is its architecture.
`stillhouse logits MODEL_DIR sentences.txt FILE` writes these files. They contain, for sentence NNN (from 000), the float32 tensors
input_ids_NNN of shape (length) and logits_NNN of shape (length, vocabulary) for a masked-LM head, (classes) for any other.
"""

import functools
import pathlib
import sys

import torch
import transformers
from outcome import Skip, expect, run
from safetensors import safe_open

# For torch.allclose(rtol, atol) and, over a sentence, |difference| / |reference|. A tolerance of 1e-4 for every single logit near 20
# cannot be met: on these sentences, BERT-base in float32 differs from float64 by up to 2.0e-4 (transformers) and 1.7e-4 (Stillhouse).
TOLERANCE = 1e-4
TOLERANCE_OF_NORM = 1e-5
SENTENCES = (pathlib.Path(__file__).parent / "sentences.txt").read_text(encoding="utf-8").splitlines()


@functools.cache
def load(directory):
    """Loads the class that config.json names; fails on missing and unexpected tensors, and on tensors of the wrong shape."""
    config = transformers.AutoConfig.from_pretrained(directory)
    expect(config.architectures, f"{directory}/config.json names no architecture")
    kind = getattr(transformers, config.architectures[0])
    model, info = kind.from_pretrained(directory, output_loading_info=True, attn_implementation="eager", dtype=torch.float32)
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        unused_pooler = what == "unexpected_keys" and not hasattr(model, "classifier")  # a masked LM has no pooler
        wrong = [key for key in info.get(what) or () if not (unused_pooler and "pooler" in str(key))]
        expect(not wrong, f"{what}: {', '.join(map(str, wrong[:5]))}")
    return model.eval(), transformers.AutoTokenizer.from_pretrained(directory)


def loads(directory):
    model, _ = load(directory)
    parameters = sum(p.numel() for p in model.parameters())
    return f"{type(model).__name__}, {model.config.num_hidden_layers} layers, {parameters:,} parameters"


def loads_as(directory, model_type):
    model, tokenizer = load(directory)
    expect(model.config.model_type == model_type, f"it is a {model.config.model_type}, not a {model_type}")
    takes_segments = hasattr(model.base_model.embeddings, "token_type_embeddings")
    gives_segments = "token_type_ids" in tokenizer("one", "two")
    expect(takes_segments == gives_segments, f"its tokenizer returns segment ids: {gives_segments}, the model reads them: {takes_segments}")
    return loads(directory)


def same_logits(directory, ours_file):
    model, tokenizer = load(directory)
    worst, worst_ratio, tokens, over = 0.0, 0.0, 0, 0
    with safe_open(ours_file, "pt") as ours, torch.inference_mode():
        names = set(ours.keys())
        wanted = {f"{kind}_{i:03d}" for i in range(len(SENTENCES)) for kind in ("input_ids", "logits")}
        expect(names == wanted, f"{len(wanted - names)} tensors missing, {len(names - wanted)} unknown in {ours_file}")
        for i, sentence in enumerate(SENTENCES):
            inputs = tokenizer(sentence, return_tensors="pt", truncation=True, max_length=model.config.max_position_embeddings)
            theirs, our_ids = inputs["input_ids"][0], ours.get_tensor(f"input_ids_{i:03d}").long()
            expect(our_ids.tolist() == theirs.tolist(), f"token ids of {sentence!r}: {our_ids.tolist()}, not {theirs.tolist()}")
            logits, our_logits = model(**inputs).logits[0], ours.get_tensor(f"logits_{i:03d}")
            expect(our_logits.shape == logits.shape, f"logits of {sentence!r}: {our_logits.shape}, not {logits.shape}")
            difference = (our_logits - logits).abs().max().item()
            close = torch.allclose(our_logits, logits, rtol=TOLERANCE, atol=TOLERANCE)
            expect(close, f"logits of {sentence!r} differ by {difference:.2e}, more than {TOLERANCE:.0e} of 1 + their size")
            ratio = ((our_logits - logits).norm() / logits.norm()).item()
            expect(ratio <= TOLERANCE_OF_NORM, f"logits of {sentence!r} differ by {ratio:.1e} of their norm, more than {TOLERANCE_OF_NORM:.0e}")
            worst, worst_ratio, tokens = max(worst, difference), max(worst_ratio, ratio), tokens + len(theirs)
            over += difference > TOLERANCE
    return f"{len(SENTENCES)} sentences, {tokens} tokens, largest difference {worst:.1e} ({over} over {TOLERANCE:.0e}), of the norm {worst_ratio:.1e}"


def paris(directory):
    model, tokenizer = load(directory)
    if not type(model).__name__.endswith("ForMaskedLM") or model.config.vocab_size != 30522:
        raise Skip("not BERT-base's masked LM")
    inputs = tokenizer("the capital of france is [MASK] .", return_tensors="pt")
    with torch.inference_mode():
        probabilities = model(**inputs).logits[inputs["input_ids"] == tokenizer.mask_token_id][0].softmax(-1)
    probability = probabilities[tokenizer.convert_tokens_to_ids("paris")].item()
    expect(abs(probability - 0.42) <= 0.01, f"paris has probability {probability:.3f}, not 0.42")
    return f"paris at {probability:.3f}"


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    teacher, student, logits, *others = map(pathlib.Path, sys.argv[1:])
    run({
        "teacher loads": lambda: loads(teacher),
        "teacher computes our logits": lambda: same_logits(teacher, logits / "teacher.safetensors"),
        "teacher fills the mask": lambda: paris(teacher),
        "student loads": lambda: loads(student),
        "student computes our logits": lambda: same_logits(student, logits / "student.safetensors"),
    } | {f"{other.name} loads": lambda other=other: loads_as(other, other.name) for other in others}
      | {f"{other.name} computes our logits": lambda other=other: same_logits(other, logits / f"{other.name}.safetensors")
         for other in others})
