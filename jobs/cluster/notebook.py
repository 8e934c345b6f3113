"""Checks the format of Zeppelin notes and writes their paragraphs as files for Spark's Scala shell.

notebook.py DIRECTORY RUN CACHE...: the notes on caches are written once for each CACHE, the others once for RUN. Prints the files in the
order in which they are to be pasted. Exits with a message if a note was saved with its outputs, or is not what Zeppelin writes.
"""

import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
NOTES = HERE.parent.parent / "notebooks"
OF_CACHES = {"2KSTILL01", "2KSTILL02"}
LANGUAGES = {"md": "markdown", "spark": "scala", "sql": "sql"}
MODES = {"table", "multiBarChart", "lineChart", "scatterChart", "pieChart", "stackedAreaChart"}
NOTE = {
    "paragraphs": list, "name": str, "id": str, "defaultInterpreterGroup": str, "version": str, "noteParams": dict, "noteForms": dict,
    "angularObjects": dict, "config": dict, "info": dict, "path": str,
}
PARAGRAPH = {
    "title": str, "text": str, "user": str, "config": dict, "settings": dict, "apps": list, "runtimeInfos": dict,
    "progressUpdateIntervalMs": int, "jobName": str, "id": str, "status": str,
}
CONFIG = {
    "colWidth": int, "fontSize": int, "enabled": bool, "title": bool, "editorHide": bool, "editorSetting": dict, "editorMode": str, "results": dict,
}
GRAPH = {
    "mode": str, "height": int, "optionOpen": bool, "setting": dict, "commonSetting": dict, "keys": list, "groups": list, "values": list,
}
MAX_LINES = 8


def require(holds, message):
    if not holds:
        sys.exit(f"notebook: {message}")


def fields(where, value, types):
    """Requires exactly these fields."""
    require(set(value) == set(types), f"{where} has the fields {sorted(value)}, not {sorted(types)}")
    for name, kind in types.items():
        require(type(value[name]) is kind, f"{where}: {name} is {value[name]!r}, which is not a {kind.__name__}")


def check_paragraph(where, paragraph):
    require("results" not in paragraph, f"{where} was saved with its output: clear it (in Zeppelin: 'Clear output')")
    fields(where, paragraph, PARAGRAPH)
    fields(f"{where}, config", paragraph["config"], CONFIG)
    first, _, code = paragraph["text"].partition("\n")
    require(first[:1] == "%" and first[1:] in LANGUAGES, f"{where} begins with {first!r}, which is no interpreter of these notes")
    language = LANGUAGES[first[1:]]
    require(paragraph["config"]["editorMode"] == f"ace/mode/{language}", f"{where}: the editor's mode is not {language}")
    require(paragraph["status"] == "READY", f"{where}: the status is {paragraph['status']}")
    require(paragraph["config"]["title"] == bool(paragraph["title"]), f"{where}: the title is hidden, or empty")
    require(language == "markdown" or paragraph["title"], f"{where} has no title")
    require(language == "markdown" or len(code.splitlines()) <= MAX_LINES, f"{where} has more than {MAX_LINES} lines; move logic into Java")
    for number, result in paragraph["config"]["results"].items():
        require(number.isdigit() and set(result) == {"graph", "helium"}, f"{where}: the result {number} has the wrong fields")
        fields(f"{where}, graph", result["graph"], GRAPH)
        require(result["graph"]["mode"] in MODES, f"{where}: Zeppelin has no chart {result['graph']['mode']}")
    require((language == "sql") == bool(paragraph["config"]["results"]), f"{where}: a query, and nothing else, has a chart")


def axes(graph):
    """Returns the columns that label a chart, and those that it draws as numbers, each with its index."""
    labels = graph["groups"] + ([] if graph["mode"] == "scatterChart" else graph["keys"])
    numbers = list(graph["values"])
    setting = graph["setting"].get(graph["mode"], {})
    if graph["mode"] == "scatterChart":
        numbers = [setting["xAxis"], setting["yAxis"]] + ([setting["size"]] if "size" in setting else [])
        labels += [setting["group"]] if "group" in setting else []
    for column in labels + numbers:
        require(set(column) == {"name", "index", "aggr"}, f"the column {column} of a chart needs a name, an index and an aggr")
    return labels, numbers


def scala(value):
    return json.dumps(value, ensure_ascii=False).replace("$", "\\u0024")


def columns(some):
    return "Seq(" + ", ".join(f"({scala(column['name'])}, {column['index']})" for column in some) + ")"


def code_of(note, paragraph, checks):
    """Returns a paragraph and its checks as one block of Scala."""
    interpreter, _, code = paragraph["text"].partition("\n")
    name = paragraph["id"].removeprefix("paragraph_")
    lines = ['Printed.last = ""', code]
    if interpreter == "%sql":
        require('"""' not in code, f"{name}: the query has three quotes")
        labels, numbers = axes(paragraph["config"]["results"]["0"]["graph"])
        lines[1:] = [f'val result = spark.sql("""{code}""").cache()', "result.show(3, 40)"]
        lines.append(f"Check.chart(result, {columns(labels)}, {columns(numbers)})")
    lines.append(checks.pop((note["id"], name), ""))
    # Printed with the block: not reached if it does not compile or throws an exception.
    lines += [f"Check.keep({scala(note['id'] + '-' + name)})", f'Console.out.println("paragraph {note["id"]} {name} has finished")']
    return "\n".join(lines) + "\n"


def sections(text):
    found = {}
    for part in re.split(r"^//// ", text, flags=re.MULTILINE)[1:]:
        head, _, code = part.partition("\n")
        found[tuple(head.split())] = code
    return found


def main(directory, run, *caches):
    files = sorted(NOTES.glob("*.zpln"))
    notes = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    checks = sections((HERE / "notebook-checks.scala").read_text(encoding="utf-8"))
    identifiers = [note["id"] for note in notes]
    require(len(set(identifiers)) == len(notes), f"the notes' ids {identifiers} are not unique")
    paths = [str(HERE / "notebook.scala")]
    for file, note in sorted(zip(files, notes), key=lambda each: each[1]["id"]):
        fields(file.name, note, NOTE)
        require(file.name.endswith(f"_{note['id']}.zpln"), f"the name of {file.name} does not end with the note's id")
        require(note["path"].endswith("/" + note["name"]), f"{file.name}: path and name differ")
        names = [paragraph["id"] for paragraph in note["paragraphs"]]
        require(len(set(names)) == len(names), f"{file.name}: paragraphs' ids are not unique")
        for paragraph in note["paragraphs"]:
            check_paragraph(f"{file.name}, {paragraph['id']}", paragraph)
        code = [paragraph for paragraph in note["paragraphs"] if not paragraph["text"].startswith("%md")]
        used = dict(checks)
        for number, cache in enumerate(caches if note["id"] in OF_CACHES else [None]):
            forms = {"cache": cache, "rows": "60"} if cache else {"run": run, "rows": "200"}
            values = ", ".join(f"{scala(name)} -> {scala(value)}" for name, value in forms.items())
            checks = dict(used)
            for n, paragraph in enumerate(code):
                path = pathlib.Path(directory) / f"{note['id']}-{number}-{n:02d}.scala"
                begin = f"Forms.values = Map({values})\n" if n == 0 else ""
                path.write_text(begin + code_of(note, paragraph, checks), encoding="utf-8")
                paths.append(str(path))
    require(not checks, f"notebook-checks.scala has sections of paragraphs that no note has: {sorted(checks)}")
    print("\n".join(paths))


if __name__ == "__main__":
    main(*sys.argv[1:])
