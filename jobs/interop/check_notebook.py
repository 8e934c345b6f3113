"""Runs the Jupyter notebook without a browser, and checks what it computes.

check_notebook.py NOTEBOOK, with the environment variables that the notebook reads; run by jobs/interop/notebook

The checks are cells that are appended to the notebook, so that they see its variables. Fails if the notebook was saved with outputs.
"""

import sys

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from outcome import expect, run

TIMEOUT_SECONDS = 600

CHECKS = {
    "families have the same rows": "families['rows'].nunique() == 1 and families['rows'][0] > 0",
    "lengths count the rows of the sample": "lengths['rows'].sum() == len(rows)",
    "tokens are as many as the length": "all(len(tokens) == length for tokens, length in zip(rows['tokens'], rows['length']))",
    "hidden states are matrices of finite numbers":
        "all(m.ndim == 2 and m.shape[0] == rows['length'][0] and numpy.isfinite(m).all() for m in matrices.values())",
    "certainty has an entropy for each row with logits": "len(certainty) in (0, len(rows)) and (certainty['entropy'] >= 0).all()",
    "entropies of heads are within their limits": "len(heads) > 0 and heads['relative_entropy'].between(0, 1).all()",
    "attention of each query sums to 1":
        "numpy.allclose(attention.groupby(['layer', 'head', 'query'])['weight'].sum(), 1)",
    "attention has a map for each head": "attention.groupby(['layer', 'head']).ngroups == len(heads)",
    "the teacher agrees with itself": "models['agreement'][0] == 1 and models['agreement'].between(0, 1).all()",
    "the teacher's layers equal themselves":
        "numpy.allclose(layers.query('model == \"teacher\" and teacher_layer == layer')['similarity'], 1)",
    "differences are distances": "len(texts) > 0 and texts['difference'].between(0, 1).all()",
    "the table has the evaluated students": "set(table['student']) >= set(evaluation['model']) - {'teacher'}",
    "probabilities of the sentence sum to 1": "abs(classes['probabilities'].sum() - 1) < 1e-6",
}
MISTAKE = """
try:
    cache.rows("nothing")
except ValueError as mistake:
    assert "has no column 'nothing'" in str(mistake)
else:
    raise AssertionError("a column that does not exist was read")
"""


def main():
    notebook = nbformat.read(sys.argv[1], as_version=4)
    nbformat.validate(notebook)
    shown = [cell for cell in notebook.cells if cell.cell_type == "code"]
    saved = [cell.id for cell in shown if cell.outputs or cell.execution_count is not None]
    if saved:
        sys.exit(f"{sys.argv[1]} was saved with the outputs of {saved}: clear them")
    checks = {name: f"assert {condition}" for name, condition in CHECKS.items()}
    checks["mistakes are ValueErrors"] = MISTAKE
    errors = {}
    client = NotebookClient(notebook, timeout=TIMEOUT_SECONDS, kernel_name="python3")
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
        for name, code in checks.items():
            notebook.cells.append(nbformat.v4.new_code_cell(code))
            try:
                client.execute_cell(notebook.cells[-1], len(notebook.cells) - 1)
            except CellExecutionError as error:
                errors[name] = str(error).strip().splitlines()[-1]

    def outcome(name):
        expect(name not in errors, errors.get(name, ""))
        return "checked"

    def pictures():
        html = [output.data["text/html"] for cell in shown for output in cell.outputs if "text/html" in output.get("data", {})]
        found = [text for text in html if "<svg" in text]
        expect(len(found) == 6, f"the notebook shows {len(found)} pictures, not 6")
        expect(all("http" not in text and "<script" not in text for text in found), "a picture names a host, or has a script")
        return f"{len(found)} pictures"

    tests = {name: lambda name=name: outcome(name) for name in checks}
    run({**tests, "pictures are HTML": pictures})


if __name__ == "__main__":
    main()
