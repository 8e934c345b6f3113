"""Checks that Stillhouse gives the token ids of transformers, for every set of files that a tokenizer was ever saved as.

check_tokenizers.py make DIR   writes DIR/sentences.txt and, for each set of files, a tiny model DIR/NAME/source
TokenIds.java DIR              writes DIR/NAME/written, DIR/NAME/source.safetensors and DIR/NAME/written.safetensors
check_tokenizers.py DIR        compares them with transformers

transformers reads the source and the written directory with AutoTokenizer. For a vocab.txt alone, transformers always lower-cases, while
Stillhouse looks at the vocabulary, so a cased one is compared in the written directory only.
"""

import json
import pathlib
import random
import shutil
import sys
import unicodedata

import numpy
import transformers
from outcome import expect, run
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

COUNT = 500
POSITIONS = 512
ROWS = 3000
GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "core/src/test/golden"
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ADDED = ["<e1>", "<E2>", "New York", "straße"]

WORDS = {
    "english": "The capital of France is Paris and NASA's iPhone costs $1,284.50 don't re-enter U.S.A. e.g. hello WORLD".split(),
    "accents": "Café naïve RÉSUMÉ Ångström Łódź señor Ünïted fiancée coöperate Škoda cafe\u0301 A\u030angstro\u0308m ﬁne ǅ".split(),
    "turkish": "İstanbul ISPARTA ışık Iğdır diyarbakır DİYARBAKIR i̇stanbul".split(),
    "german": "Straße STRASSE Größe ẞ Fußball Übermut".split(),
    "greek": "Καλημέρα ΑΘΗΝΑ λόγος ΟΔΟΣ ὀδός Ὀδυσσεύς".split(),
    "cyrillic": "Привет МОСКВА ёлка Ёлка й и\u0306 Київ ქართული Հայերեն".split(),
    "arabic": "مرحبا العَرَبِيَّة ١٢٣ لا، كتاب؟ پارسی ۴۵۶".split(),
    "hebrew": "שָׁלוֹם עולם ירושלים בְּרֵאשִׁית".split(),
    "indic": "नमस्ते हिन्दी क्षत्रिय १२३ தமிழ் বাংলা తెలుగు मुंबई".split(),
    "thai": "สวัสดี กรุงเทพ ภาษาไทย ๑๒๓ ລາວ ខ្មែរ မြန်မာ".split(),
    "chinese": "中文 北京大學 你好，世界。 我爱NLP 㐀 𠀀 豈 〇 １２３ Ａｂｃ".split(),
    "japanese": "東京都に住む カタカナ ひらがな ｶﾀｶﾅ ガ カ\u3099 「引用」 ー".split(),
    "korean": "안녕하세요 서울 \u1112\u1161\u11ab\u1100\u1173\u11af 한국어 ㅋㅋ".split(),
    "emoji": "😀 👍🏽 👩\u200d👩\u200d👧 🇫🇷 ❤\ufe0f ☺ 𝒜𝒷 𐐀𐐨 ℝ Ⅷ ⅷ ㎏ ½ x² №".split(),
    "controls": ["a\u0000b", "c\u0007d", "tab\there", "nb\u00a0sp", "zero\u200bwidth", "soft\u00adhyphen", "\ufeffbom", "\ufffdrep",
                 "line\u2028sep", "next\u0085line", "cr\rhere", "rtl\u202eoverride", "\u3000wide", "\ue000private", "\U000e0041tag"],
    "punctuation": "... ?! (a) [b] {c} <d> a_b ~ ^ ` `` '' \u201cquote\u201d \u2018x\u2019 \u2014 \u2026 § ° € £ ¿qué? ¡ay! @user #tag a/b \\ | + = % & * 3.14".split(),
    "special": ["[MASK]", "[mask]", " [MASK] ", "x[MASK]y", "[SEP]", "[CLS]a", "[PAD]", "[UNK]", "[unused1]", "<pad>", "<unk>"],
    "added": ["<e1>", "<E1>", "a<e1>b", "<E2>", "<e2>", "New York", "new york", "New Yorker", "straße", "STRASSE"],
    "long": ["x" * 99, "y" * 100, "z" * 101, "unbelievably" * 9],
}


def sentences():
    """Returns sentences, one line each: some of a single script, most of two or three, with all kinds of white space."""
    dice = random.Random(20261128)
    kinds = list(WORDS)
    lines = ["The of", "", " ", "the [MASK] of"]
    while len(lines) < COUNT:
        chosen = [kinds[len(lines) % len(kinds)]] + dice.sample(kinds, dice.randrange(3))
        words = [dice.choice(WORDS[dice.choice(chosen)]) for _ in range(dice.randrange(1, 9))]
        lines.append("".join(word + dice.choice([" "] * 8 + ["", "  ", ", ", ".", "\u00a0", "\t", "-"]) for word in words))
    return lines[:-1] + ["the end"]  # the last line must not end with white space, which is stripped


def forms(word):
    """Returns a word as each normalizer leaves it."""
    bare = "".join(c for c in unicodedata.normalize("NFD", word) if unicodedata.category(c) != "Mn")
    return [word, word.lower(), bare, bare.lower(), unicodedata.normalize("NFKD", bare.lower())]


def vocabulary(capitals=True):
    """Returns tokens that cover most of the sentences: words, characters and pieces; some are left out, for [UNK]."""
    tokens = dict.fromkeys(SPECIALS + ["[unused1]", "ℝ", "##ℝ"])
    for kind in sorted(WORDS):
        for i, word in enumerate(WORDS[kind]):
            for form in forms(word):
                if kind not in ("special", "added", "long", "controls") and i % 3 == 0 and form.isalnum():
                    tokens[form] = None
                for c in form:
                    if not c.isspace() and unicodedata.category(c)[0] != "C" and ord(c) % 13:
                        tokens[c] = None
                        if ord(c) % 5:
                            tokens["##" + c] = None
    return [token for token in tokens if capitals or token in SPECIALS or token == "ℝ" or token == "##ℝ" or token == token.lower()]


def added(token, index, **flags):
    return {"id": index, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False} | flags


def special(token, index, **flags):
    return added(token, index, normalized=False, special=True, **flags)


def decoder(*tokens):
    return {str(token["id"]): {key: value for key, value in token.items() if key != "id"} for token in tokens}


def tokenizer_json(vocab, lower=True, more=(), **parts):
    """Returns the tokenizer.json of a BertTokenizerFast of transformers 4."""
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [special(token, index) for index, token in enumerate(SPECIALS)] + list(more),
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": lower},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                     {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
                     {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
            "special_tokens": {token: {"id": token, "ids": [SPECIALS.index(token)], "tokens": [token]} for token in ("[CLS]", "[SEP]")},
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                  "vocab": {token: index for index, token in enumerate(vocab)}},
    } | parts


def unigram_json(**parts):
    """Returns the tokenizer.json of an AlbertTokenizerFast of transformers 4, without the table of characters."""
    specials = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    pieces = dict.fromkeys(["\u2581"])
    for kind in sorted(WORDS):
        for i, word in enumerate(WORDS[kind]):
            for form in forms(word):
                if i % 2 == 0 and form.isalnum():
                    pieces["\u2581" + form] = None
                for c in form:
                    if not c.isspace() and unicodedata.category(c)[0] != "C" and ord(c) % 13:
                        pieces[c] = None
    tokenizer = tokenizer_json([])
    tokenizer["added_tokens"] = [special(token, index, **({"lstrip": True} if token == "[MASK]" else {})) for index, token in enumerate(specials)]
    for token in ("[CLS]", "[SEP]"):
        tokenizer["post_processor"]["special_tokens"][token]["ids"] = [specials.index(token)]
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    return tokenizer | {
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Replace", "pattern": {"String": "``"}, "content": "\""}, {"type": "Replace", "pattern": {"String": "''"}, "content": "\""},
            {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 1, "byte_fallback": False,
                  "vocab": [[token, 0.0] for token in specials] + [[piece, -1.5 - 0.37 * len(piece) - i / 977] for i, piece in enumerate(pieces)]},
    } | parts


def named(**flags):
    """Returns the special tokens as transformers 3 and 4 wrote them into special_tokens_map.json, objects if there are flags."""
    tokens = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
    return {key: {"content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False} | flags if flags else token
            for key, token in tokens.items()}


def cases():
    """Returns the files of each tokenizer by name, and whether the source is compared: (architecture, files, True)."""
    vocab, uncased = vocabulary(), vocabulary(capitals=False)
    n = len(vocab)
    bert, distilbert, whole = ({"tokenizer_class": name} for name in ("BertTokenizer", "DistilBertTokenizer", "PreTrainedTokenizerFast"))
    two = [added("<e1>", n), added("New York", n + 1)]
    mask = special("[MASK]", 4, lstrip=True)
    return {
        "vocab alone, uncased": ("bert", {"vocab": uncased}, True),
        "vocab alone, cased": ("bert", {"vocab": vocab}, False),
        "vocab alone, cased, DistilBERT": ("distilbert", {"vocab": vocab}, False),
        "vocab, config lowers": ("bert", {"vocab": vocab, "tokenizer_config": {"do_lower_case": True, "model_max_length": 512}}, True),
        "vocab, config keeps case": ("bert", {"vocab": vocab, "tokenizer_config": {"do_lower_case": False}}, True),
        "vocab, config says nothing": ("bert", {"vocab": vocab, "tokenizer_config": {"model_max_length": 512}}, True),
        "vocab, config keeps accents": ("bert", {"vocab": vocab, "tokenizer_config": bert | {"do_lower_case": True, "strip_accents": False}}, True),
        "vocab, config strips accents only": (
            "distilbert", {"vocab": vocab, "tokenizer_config": distilbert | {"do_lower_case": False, "strip_accents": True}}, True),
        "vocab, Chinese not split": ("bert", {"vocab": vocab, "tokenizer_config": bert | {"tokenize_chinese_chars": False}}, True),
        "vocab, never_split": (
            "bert", {"vocab": vocab, "tokenizer_config": bert | {"never_split": ["Paris"], "do_basic_tokenize": False, "do_lower_case": False}}, True),
        "vocab, repeated tokens and CRLF": ("bert", {"vocab": vocab[:40] + vocab[20:], "newline": "\r\n", "tokenizer_config": bert}, True),
        "slow, transformers 2": (
            "bert", {"vocab": vocab, "tokenizer_config": {"do_lower_case": True}, "special_tokens_map": named(),
                     "added_tokens": {"<e1>": n, "New York": n + 1}}, True),
        "slow, transformers 4.0": (
            "bert", {"vocab": vocab, "added_tokens": {"<e1>": n, "<E2>": n + 1, "straße": n + 2},
                     "special_tokens_map": named() | {"additional_special_tokens": ["<E2>"]},
                     "tokenizer_config": {"do_lower_case": False, "tokenize_chinese_chars": True, "strip_accents": None}
                     | {key: value | {"__type": "AddedToken"} for key, value in named(normalized=True).items()}}, True),
        "slow, special tokens as objects": (
            "bert", {"vocab": vocab, "tokenizer_config": bert,
                     "special_tokens_map": named(lstrip=True) | {"extra_special_tokens": [{"content": "<E2>", "normalized": True}]}}, True),
        "slow, transformers 4.40": (
            "bert", {"vocab": vocab, "special_tokens_map": named(normalized=False, lstrip=True), "added_tokens": {"<e1>": n, "New York": n + 1},
                     "tokenizer_config": bert | named() | {"added_tokens_decoder": decoder(*[special(t, i) for i, t in enumerate(SPECIALS)], *two),
                                                           "additional_special_tokens": ["New York"], "clean_up_tokenization_spaces": True}}, True),
        "slow, mask with flags": (
            "distilbert", {"vocab": vocab, "tokenizer_config": distilbert | {"added_tokens_decoder": decoder(mask, added("<e1>", n, single_word=True))}}, True),
        "slow, ids with gaps": ("bert", {"vocab": vocab, "added_tokens": {"<e1>": n + 40, "New York": n + 20}, "tokenizer_config": bert}, True),
        "fast, transformers 4": (
            "bert", {"vocab": vocab, "tokenizer": tokenizer_json(vocab, more=two), "special_tokens_map": named(),
                     "tokenizer_config": {"tokenizer_class": "BertTokenizerFast"} | named() | {"do_lower_case": True}}, True),
        "fast, DistilBERT": (
            "distilbert", {"vocab": vocab, "tokenizer": tokenizer_json(vocab, lower=False),
                           "tokenizer_config": {"tokenizer_class": "DistilBertTokenizerFast", "do_lower_case": False}}, True),
        "fast lowers, config keeps case": (
            "bert", {"tokenizer": tokenizer_json(vocab), "vocab": vocab, "tokenizer_config": bert | {"do_lower_case": False}}, True),
        "fast keeps case, config lowers": ("bert", {"tokenizer": tokenizer_json(vocab, lower=False), "tokenizer_config": bert | {"do_lower_case": True}}, True),
        "fast keeps case, config says nothing": ("bert", {"tokenizer": tokenizer_json(vocab, lower=False), "tokenizer_config": {}}, True),
        "fast alone, keeps case": ("bert", {"tokenizer": tokenizer_json(vocab, lower=False, more=two)}, True),
        "fast, added tokens in both": (
            "bert", {"tokenizer": tokenizer_json(vocab, more=two), "tokenizer_config": bert | {"added_tokens_decoder": decoder(added("straße", n))}}, True),
        "fast, cuts and pads": (
            "bert", {"tokenizer": tokenizer_json(
                vocab, truncation={"direction": "Right", "max_length": 6, "strategy": "LongestFirst", "stride": 0},
                padding={"strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}),
                "tokenizer_config": bert}, True),
        "whole, keeps case": ("bert", {"tokenizer": tokenizer_json(vocab, lower=False, more=two), "tokenizer_config": whole | {"do_lower_case": True}}, True),
        "whole, other normalizer": (
            "bert", {"tokenizer": tokenizer_json(vocab, normalizer={"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]}),
                     "tokenizer_config": whole | named() | {"added_tokens_decoder": decoder(mask, special("<e1>", n))}}, True),
        "whole, class in config.json": (
            "bert", {"tokenizer": tokenizer_json(vocab, lower=False), "vocab": vocab, "config": {"tokenizer_class": "PreTrainedTokenizerFast"}}, True),
        "transformers 5": ("bert", {"saved": (transformers.BertTokenizer, vocab, {"do_lower_case": False, "strip_accents": True})}, True),
        "transformers 5, DistilBERT": ("distilbert", {"saved": (transformers.DistilBertTokenizer, vocab, {})}, True),
        "ALBERT with WordPiece": ("albert", {"vocab": vocab, "tokenizer_config": bert | {"do_lower_case": False}}, True),
        "ALBERT, transformers 4": (
            "albert", {"tokenizer": unigram_json(), "tokenizer_config": {"tokenizer_class": "AlbertTokenizer", "do_lower_case": True, "keep_accents": False,
                                                                         "remove_space": True}}, True),
        "ALBERT, fast alone": ("albert", {"tokenizer": unigram_json()}, True),
        "ALBERT, keeps case and accents": (
            "albert", {"tokenizer": unigram_json(), "tokenizer_config": {"tokenizer_class": "AlbertTokenizerFast", "do_lower_case": False,
                                                                         "keep_accents": True}}, True),
        "ALBERT, whole": ("albert", {"tokenizer": unigram_json(), "tokenizer_config": whole}, True),
    }


def write_json(file, value):
    file.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def write_model(source, architecture, rows, config):
    """Writes the golden model of an architecture with more words and positions."""
    golden = GOLDEN / f"{architecture}-tiny-cls-v1"
    tensors = load_file(golden / "model.safetensors")
    for name, tensor in tensors.items():
        if "word_embeddings" in name or "position_embeddings" in name:
            tensors[name] = numpy.resize(tensor, (rows if "word" in name else POSITIONS, tensor.shape[1]))
    save_file(tensors, source / "model.safetensors", {"format": "pt"})
    write_json(source / "config.json", json.loads((golden / "config.json").read_text())
               | {"vocab_size": rows, "max_position_embeddings": POSITIONS} | config)


def write_tokenizer(source, files):
    """Writes the tokenizer files of a case."""
    newline = files.get("newline", "\n")
    for name, value in files.items():
        if name == "vocab":
            (source / "vocab.txt").write_text("".join(token + newline for token in value), encoding="utf-8", newline="")
        elif name == "saved":
            kind, vocab, settings = value
            tokenizer = kind(vocab={token: index for index, token in enumerate(vocab)}, **settings)
            tokenizer.add_tokens(ADDED[:2])
            tokenizer.add_special_tokens({"extra_special_tokens": ADDED[2:]})
            tokenizer.save_pretrained(source)
        elif name not in ("newline", "config"):
            write_json(source / f"{name}.json", value)


def make(directory):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / "sentences.txt").write_text("\n".join(sentences()), encoding="utf-8", newline="")
    for name, (architecture, files, _) in cases().items():
        source = directory / name / "source"
        source.mkdir(parents=True)
        write_tokenizer(source, files)
        write_model(source, architecture, ROWS, files.get("config", {}))


def ids(file):
    with safe_open(file, "np") as tensors:
        return [tensors.get_tensor(f"input_ids_{i:03d}").astype(int).tolist() for i in range(COUNT)]


def same_ids(directory, compare_source):
    lines = (directory.parent / "sentences.txt").read_bytes().decode("utf-8").split("\n")
    expect(len(lines) == COUNT, f"{len(lines)} sentences")
    source, written = (ids(directory / f"{kind}.safetensors") for kind in ("source", "written"))
    tokens = sum(map(len, source))
    for kind, ours in (("source", source), ("written", written)):
        if kind == "source" and not compare_source:
            continue
        theirs = transformers.AutoTokenizer.from_pretrained(directory / kind)(lines).input_ids
        different = [i for i in range(COUNT) if ours[i] != theirs[i]]
        expect(not different, f"{len(different)} of {COUNT} sentences differ in {kind}, first {lines[different[0]]!r}: {ours[different[0]]}, "
                              f"not {theirs[different[0]]}" if different else "")
    different = sum(a != b for a, b in zip(source, written))
    expect(not different, f"{different} of {COUNT} sentences differ between source and written directory")
    return f"{COUNT} sentences, {tokens} tokens, 0 differences" + ("" if compare_source else " in the written directory")


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    if sys.argv[1] == "make":
        make(pathlib.Path(sys.argv[2]))
    else:
        root = pathlib.Path(sys.argv[1])
        run({f"token ids, {name}": lambda name=name, compared=compared: same_ids(root / name, compared) for name, (_, _, compared) in cases().items()})
