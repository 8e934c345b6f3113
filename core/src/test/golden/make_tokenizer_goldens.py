"""Writes the token ids that our tokenizers are compared with, from transformers' AutoTokenizer, for every set of files of
jobs/interop/check_tokenizers.py, with fewer words and sentences than there.

Run by `mvn -Pgolden` only, never by a test run: python3 make_tokenizer_goldens.py [GOLDEN_DIR]

Made with Python 3.11, transformers 5.24.0, tokenizers 0.23.3. tokenizers-v1.json holds "sentences" and "cases". A case has a
name, its files' texts by name, and the ids of each sentence, with [CLS] and [SEP]. For a cased vocab.txt alone, the ids are those
of a tokenizer_config.json that says so.
"""

import json
import pathlib
import sys
import tempfile

GOLDEN = pathlib.Path(__file__).parent
sys.path.insert(0, str(GOLDEN.parents[3] / "jobs/interop"))
import check_tokenizers
import transformers

SENTENCES = [
    "The capital of France is Paris.", "Café naïve RÉSUMÉ cafe\u0301", "İstanbul ISPARTA ışık", "Straße STRASSE straße", "Καλημέρα ΟΔΟΣ ὀδός",
    "Привет Ёлка й и\u0306", "مرحبا العَرَبِيَّة", "שָׁלוֹם עולם", "नमस्ते हिन्दी", "สวัสดี", "中文 北京, 我爱NLP 𠀀", "東京都に住む ガ カ\u3099", "안녕하세요 \u1112\u1161\u11ab",
    "😀 ok 👩\u200d👧 𐐀𐐨 ℝ", "a\u0000b c\u0007d nb\u00a0sp zero\u200bwidth next\u0085line", "``x'' 3.14 \u201cy\u201d @user", "the [MASK] of [mask]x[MASK]y", "[SEP] [CLS]a <unk>",
    "a<e1>b <E1> <E2> <e2>", "New York new york New Yorker", "x" * 100 + " " + "y" * 101, "", " ",
]
WORDS = {
    "english": ["The", "capital", "Paris", "ok"], "accents": ["Café", "naïve", "RÉSUMÉ"], "turkish": ["İstanbul", "ışık"], "german": ["Straße"],
    "greek": ["ΟΔΟΣ", "Καλημέρα"], "cyrillic": ["Ёлка"], "chinese": ["中文", "北"], "japanese": ["東京", "カ\u3099"], "korean": ["한"], "emoji": ["😀", "𐐀"],
    "punctuation": list(".,'`\"<>[]"), "arabic": ["مرحبا"], "indic": ["नमस्ते"],
}


def texts(directory):
    return {file.name: file.read_bytes().decode("utf-8") for file in sorted(directory.iterdir())}


def ids(source, name):
    if "alone, cased" in name:
        check_tokenizers.write_json(source / "tokenizer_config.json", {"do_lower_case": False})
    return transformers.AutoTokenizer.from_pretrained(source)(SENTENCES).input_ids


def case(name, architecture, files):
    with tempfile.TemporaryDirectory() as directory:
        source = pathlib.Path(directory)
        check_tokenizers.write_json(source / "config.json", {"model_type": architecture} | files.get("config", {}))
        check_tokenizers.write_tokenizer(source, files)
        return {"name": name, "files": texts(source), "ids": ids(source, name)}


def main(golden):
    check_tokenizers.WORDS = WORDS
    found = [case(name, architecture, files) for name, (architecture, files, _) in check_tokenizers.cases().items()]
    lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in found)
    sentences = json.dumps(SENTENCES, ensure_ascii=False)
    (golden / "tokenizers-v1.json").write_text(f'{{"sentences": {sentences},\n"cases": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN)
