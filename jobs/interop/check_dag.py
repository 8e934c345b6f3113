"""Checks that Airflow loads and runs Stillhouse's DAG, and checks the arguments that the DAG passes to spark-submit.

check_dag.py DAG_FILE

Airflow runs in a temporary folder (SQLite), with a stand-in for spark-submit that records its arguments and exits with a given
code. The DAG itself runs, so the checks see the command that a cluster would receive.
"""

import json
import logging
import os
import pathlib
import stat
import sys
import tempfile
from datetime import timedelta

from outcome import expect, run

SCRATCH = tempfile.TemporaryDirectory(prefix="stillhouse-airflow-")
HOME = pathlib.Path(SCRATCH.name)
CALLS, EXIT_CODE = HOME / "calls.jsonl", HOME / "exit-code"
ORDER = ["cache", "train", "evaluate"]
RECIPE, SETTINGS = "/recipes/nightly.conf", ["train.seed=7", "train.epochs=2"]

STAND_IN = f"""#!{sys.executable}
import json, pathlib, sys
with open({str(CALLS)!r}, "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
sys.exit(int(pathlib.Path({str(EXIT_CODE)!r}).read_text()))
"""


def install_airflow():
    """Sets up everything that Airflow reads when it is first imported."""
    binary = HOME / "bin/spark-submit"
    binary.parent.mkdir()
    binary.write_text(STAND_IN)
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    os.environ.update(
        AIRFLOW_HOME=str(HOME),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__UNIT_TEST_MODE="False",
        AIRFLOW__CORE__DAGS_FOLDER=str(DAG_FILE.parent),
        AIRFLOW__LOGGING__LOGGING_LEVEL="CRITICAL",
        AIRFLOW_CONN_SPARK_DEFAULT="spark://master:7077?deploy-mode=client",
        PATH=f"{binary.parent}{os.pathsep}{os.environ['PATH']}",
    )
    from airflow.utils.db import initdb

    initdb()
    logging.disable(logging.CRITICAL)


def dag():
    from airflow.models import DagBag

    bag = DagBag(DAG_FILE)
    expect(not bag.import_errors, f"import errors: {bag.import_errors}")
    expect("stillhouse" in bag.dags, f"no DAG 'stillhouse' among {sorted(bag.dags)}")
    return bag.dags["stillhouse"]


def parses():
    chain = dag().tasks
    names = [task.task_id for task in chain]
    expect(names == ORDER, f"tasks {names}, not {ORDER}")
    for before, after in zip(chain, chain[1:]):
        expect(before.downstream_task_ids == {after.task_id}, f"after {before.task_id}: {before.downstream_task_ids}")
    return " -> ".join(names)


def run_dag(exit_code):
    """Runs the DAG, with one retry and no delay; returns the calls of spark-submit and each task's state."""
    CALLS.unlink(missing_ok=True)
    EXIT_CODE.write_text(str(exit_code))
    stillhouse = dag()
    for task in stillhouse.tasks:
        task.retries, task.retry_delay, task.retry_exponential_backoff = 1, timedelta(0), False
    result = stillhouse.test(run_conf={"recipe": RECIPE, "settings": SETTINGS})
    calls = [json.loads(line) for line in CALLS.read_text().splitlines()]
    return calls, {instance.task_id: str(instance.state) for instance in result.get_task_instances()}


def commands():
    calls, states = run_dag(0)
    expect(set(states.values()) == {"success"}, f"states {states}")
    expect(len(calls) == len(ORDER), f"{len(calls)} calls of spark-submit")
    for command, arguments in zip(ORDER, calls):
        expect(arguments[-4:] == [command, RECIPE, *SETTINGS], f"{command}: spark-submit {' '.join(arguments)}")
        expect(arguments[-5].endswith("stillhouse.jar"), f"{command}: application {arguments[-5]}")
        for option, value in (("--class", "io.stillhouse.jobs.cli.Stillhouse"), ("--master", "spark://master:7077")):
            expect(arguments[arguments.index(option) + 1] == value, f"{command}: {option} in {' '.join(arguments)}")
    return "spark-submit ... " + " ".join(calls[0][-4:])


def properties():
    file = pathlib.Path(dag().tasks[0].properties_file)
    expect(file.is_file(), f"{file} does not exist")
    return file.name


def retries():
    tries = {code: len(run_dag(code)[0]) for code in (1, 2)}
    expect(tries == {1: 2, 2: 1}, f"calls of spark-submit by its exit code: {tries}")
    return "exit code 1 is retried, exit code 2 is not"


if __name__ == "__main__":
    DAG_FILE = pathlib.Path(sys.argv[1]).resolve()
    install_airflow()
    run({
        "Airflow reads the DAG": parses,
        "spark-submit gets the recipe": commands,
        "the properties file exists": properties,
        "a user's mistake is not retried": retries,
    })
