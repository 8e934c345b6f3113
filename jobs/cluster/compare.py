"""The Python part of jobs/cluster/compare.

compare.py corpora VOCABULARY DIR   writes the corpora of the recipes: rows.tsv, validation.tsv and lines.txt
compare.py trees BEFORE AFTER       compares all caches and students below two directories bit for bit
"""

import json
import random
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pyarrow
import pyarrow.parquet

CACHES = ["tinybert", "validation", "masked-lm"]
# The number of students, baselines included, of each recipe that trains some.
STUDENTS = {"tinybert": 2, "masked-lm": 2, "sweep": 4, "rounds": 2}


def corpora(vocabulary, directory):
    words = [w for w in vocabulary.read_text().split() if re.fullmatch("[a-z]{2,}", w)]
    generator = random.Random(18)

    def line(most):
        return " ".join(generator.choices(words, k=generator.randint(1, most)))

    for name, rows in ("rows", 300), ("validation", 60):
        table = ["text\tlabel"]
        for row in range(rows):
            he = generator.random() < 0.5
            text = "" if row % 50 == 25 else f"{'he' if he else 'not'} {line(24)}"
            table.append(f"{text}\tLABEL_{2 if he else 0}")
        (directory / f"{name}.tsv").write_text("\n".join(table) + "\n")
    (directory / "lines.txt").write_text("".join(line(20) + "\n" for _ in range(300)))


def columns(cache):
    """Returns the cells of each column of a cache, in plan order.

    A file's name starts with its number in the plan. No command failed, so all files belong to the cache.
    """
    found = {}
    for file in sorted(cache.rglob("*.parquet")):
        table = pyarrow.parquet.read_table(file)
        for name in table.column_names:
            # Every file has an id and a length.
            label = f"{name} (of {table.column_names[2]})" if name in ("id", "length") else name
            found.setdefault(label, []).extend(bits(cell) for cell in table[name].to_pylist())
    return found


def bits(cell):
    # repr tells -0.0 from 0.0 and finds NaN equal to NaN.
    return cell if cell is None or isinstance(cell, bytes) else repr(cell)


def weights(student):
    """Returns a student's tensors by name, each as dtype, shape and bytes."""
    content = (student / "model.safetensors").read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    return {
        name: (t["dtype"], t["shape"], content[start + t["data_offsets"][0] : start + t["data_offsets"][1]])
        for name, t in sorted(header.items())
    }


def students(recipe):
    """Returns the directories of a recipe's students. They are paired by their order: a baseline's name may differ."""
    return sorted(m.parent for m in recipe.glob("students/*/model.safetensors") if m.parent.name[0] != "_")


def verdict(before, after):
    """Returns what differs between two lists or dictionaries, or None."""
    if len(before) != len(after):
        return f"{len(before)} and {len(after)}"
    if isinstance(before, dict):
        if before.keys() != after.keys():
            return f"names in one only: {sorted(before.keys() ^ after.keys())}"
        differ = [name for name in before if before[name] != after[name]]
    else:
        differ = [place for place in range(len(before)) if before[place] != after[place]]
    return f"{len(differ)} of {len(before)}, the first is {differ[0]}" if differ else None


def compare(before, after, report=print):
    """Reports whether each column and each student is equal. Returns how many are equal and how many are not."""
    tally = [0, 0]

    def check(label, words, difference):
        report(f"{label}: {words}, " + (f"DIFFERENT: {difference}" if difference else "equal"))
        tally[bool(difference)] += 1

    for name in CACHES:
        one, two = columns(before / name / "cache"), columns(after / name / "cache")
        check(f"{name}: columns", f"{len(one)}", verdict(dict.fromkeys(one), dict.fromkeys(two)) if one else "none")
        for label in one:
            words = f"{len(one[label])} cells, {one[label].count(None)} null"
            check(f"{name}: {label}", words, verdict(one[label], two.get(label, [])))
    for name, count in STUDENTS.items():
        one, two = students(before / name), students(after / name)
        difference = None if len(one) == len(two) == count else f"{len(one)} and {len(two)}"
        check(f"{name}: students", f"{count}", difference)
        for first, second in zip(one, two):
            label = f"{name}: {first.name}" + (f" (after: {second.name})" if first.name != second.name else "")
            first, second = weights(first), weights(second)
            size = sum(len(data) for _, _, data in first.values())
            check(label, f"{len(first)} tensors, {size:,} bytes", verdict(first, second))
    return tally


def self_test(tree):
    """Exits with an error unless one changed bit in a copy of the tree is found, in a cell and in a weight."""

    def flip(content, place):
        return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]

    def flip_cell(copy):
        file = sorted((copy / CACHES[-1] / "cache").rglob("*.parquet"))[0]
        table = pyarrow.parquet.read_table(file)
        place = next(i for i, f in enumerate(table.schema) if pyarrow.types.is_binary(f.type))
        cells = table.column(place).to_pylist()
        cells[-1] = flip(cells[-1], 0)
        changed = table.set_column(place, table.schema[place], pyarrow.array(cells, pyarrow.binary()))
        pyarrow.parquet.write_table(changed, file)

    def flip_weight(copy):
        file = students(copy / "rounds")[-1] / "model.safetensors"
        content = file.read_bytes()
        file.write_bytes(flip(content, len(content) - 1))

    for change in flip_cell, flip_weight:
        with tempfile.TemporaryDirectory() as copy:
            shutil.copytree(tree, copy, dirs_exist_ok=True)
            change(Path(copy))
            found = compare(tree, Path(copy), report=lambda line: None)[1]
            if found != 1:
                sys.exit(f"compare: {change.__name__} in a copy should make 1 difference, but makes {found}")


if __name__ == "__main__":
    command, *paths = sys.argv[1:]
    paths = [Path(path) for path in paths]
    if command == "corpora":
        corpora(*paths)
    else:
        self_test(paths[0])
        print("self-test: one changed bit in a cell and one in a weight are found")
        equal, different = compare(*paths)
        print(f"different: {different} of {equal + different}" if different else "equal")
        sys.exit(1 if different else 0)
