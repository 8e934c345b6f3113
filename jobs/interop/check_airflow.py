"""Checks Stillhouse's DAGs in the version of Airflow that runs this script.

check_airflow.py DIRECTORY

Airflow's home (with SQLite), tiny models and all results are in DIRECTORY, which is emptied first. `airflow dags test` runs the DAGs on
local Spark, through a stand-in for spark-submit that records its arguments and kills a JVM where a check wants that.
"""

import http.server
import json
import os
import pathlib
import random
import shutil
import stat
import subprocess
import sys
import threading
import types

from outcome import Skip, expect, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIRECTORY = pathlib.Path(sys.argv[1]).resolve()
CALLS = DIRECTORY / "calls.jsonl"
RECORDS = DIRECTORY / "records"
AIRFLOW = pathlib.Path(sys.executable).parent / "airflow"
GOLDEN = ROOT / "core/src/test/golden/bert-tiny-cls-v1"
COMPUTING = ["plan", "cache", "cache_validation", "verify", "train_student", "train", "evaluate"]
EDGES = {
    "check": {"students", "gate"},
    "plan": {"cache", "cache_validation"},
    "cache": {"verify"},
    "cache_validation": {"train_student", "train"},
    "verify": {"train_student", "train"},
    "students": {"plan", "train_student"},
    "train_student": {"train"},
    "train": {"evaluate"},
    "evaluate": {"gate"},
    "gate": {"export"},
    "export": set(),
}

DAG_FILE = """
import sys
from datetime import timedelta

sys.path.insert(0, {conf!r})
from stillhouse_airflow import distillation_dag
from stillhouse_dag import alert

for name in ("whole", "killed", "swept"):
    distillation_dag(
        f"tiny_{{name}}",
        f"{directory}/{{name}}.conf",
        validation=[{validation!r}],
        pool="gpu",
        retries=2,
        retry_delay=timedelta(seconds=1),
        submit={{"driver_memory": "1g"}},
        on_failure_callback=alert,
    )
for connection in ("yarn", "standalone"):
    distillation_dag(
        f"tiny_{{connection}}",
        "{directory}/whole.conf",
        retry_delay=timedelta(seconds=1),
        submit={{"conn_id": connection, "driver_memory": "1g"}},
    )
"""

RECIPE = """
teacher.path = "{golden}"
corpus {{ path = ["{directory}/{rows}.tsv"], text = text, label = label, max-length = 40 }}
cache {{ path = "{directory}/{name}/cache", shard-tokens = 1024 }}
student {{ name = tiny, layers = 1 }}
loss {{ soft-label.weight = 1, hard-label.weight = 1 }}
train {{ path = "{directory}/{name}/students", validation = "{directory}/{name}/validation", threads = 1, {train} }}
evaluate.path = ["{directory}/validation.tsv"]
plan.seconds = 600
export {{ to = "{directory}/{name}/export", formats = [huggingface] }}
{more}
"""


class Web(http.server.BaseHTTPRequestHandler):
    """Receives what the example callback posts, and tells the state of a driver, as the master of a standalone cluster does."""

    alerts = []

    def do_GET(self):
        code = DIRECTORY / f"{self.path.rsplit('/', 1)[1]}.code"
        state = "RUNNING" if not code.exists() else "FINISHED" if code.read_text().strip() == "0" else "FAILED"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"success": True, "driverState": state}, indent=1).encode())

    def do_POST(self):
        Web.alerts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def prepare():
    """Writes the tables, the recipes, the DAG folder and the stand-in, and sets everything that Airflow reads when it is imported."""
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    (DIRECTORY / "dags").mkdir(parents=True)
    (DIRECTORY / "bin").mkdir()
    rng = random.Random(7)
    words = "the of and to in is was for on that with as it by at from his be are had were which this an".split()
    for name, rows in (("rows", 96), ("more", 3000), ("validation", 48)):
        lines = [f"{' '.join(rng.choices(words, k=rng.randint(1, 24)))}\tLABEL_{rng.randint(0, 2)}" for _ in range(rows)]
        (DIRECTORY / f"{name}.tsv").write_text("\n".join(["text\tlabel", *lines]) + "\n")
    values = {"golden": GOLDEN, "directory": DIRECTORY}
    quick = "epochs = 1, batch-size = 16"
    long = "max-steps = 120, batch-size = 16, checkpoint-every = 20"
    for name, rows, train, more in (
        ("whole", "rows", quick, ""),
        ("killed", "more", long, ""),
        ("swept", "rows", quick, "sweep.over.student.layers = [1, 3]\ntrain.baseline = true"),
    ):
        (DIRECTORY / f"{name}.conf").write_text(RECIPE.format(name=name, rows=rows, train=train, more=more, **values))
    conf = ROOT / "conf/airflow"
    (DIRECTORY / "dags/tiny.py").write_text(DAG_FILE.format(conf=str(conf), directory=DIRECTORY, validation=f"{DIRECTORY}/validation.tsv"))
    (DIRECTORY / "dags/stillhouse_predict_dag.py").symlink_to(conf / "stillhouse_predict_dag.py")
    binary = DIRECTORY / "bin/spark-submit"
    binary.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/jobs/interop/spark_submit.py "$@"\n')
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    web = http.server.HTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    standalone = {"deploy-mode": "cluster", "rest-port": web.server_port}
    os.environ.update(
        AIRFLOW_HOME=str(DIRECTORY / "home"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__DAGS_FOLDER=str(DIRECTORY / "dags"),
        AIRFLOW_CONN_SPARK_DEFAULT=json.dumps({"conn_type": "spark", "host": "local[2]"}),
        AIRFLOW_CONN_YARN=json.dumps({"conn_type": "spark", "host": "yarn", "extra": {"deploy-mode": "cluster"}}),
        AIRFLOW_CONN_STANDALONE=json.dumps({"conn_type": "spark", "host": "spark://127.0.0.1", "port": 7077, "extra": standalone}),
        STILLHOUSE_RECORDS=str(RECORDS),
        STILLHOUSE_WEBHOOK=f"http://127.0.0.1:{web.server_port}/",
        CHECK_DIRECTORY=str(DIRECTORY),
        no_proxy="127.0.0.1",
        PATH=f"{binary.parent}{os.pathsep}{os.environ['PATH']}",
    )
    airflow("db", "migrate")
    airflow("dags", "reserialize")  # as the scheduler does, so that Airflow 2 knows the datasets
    airflow("pools", "set", "gpu", "1", "GPUs")


def airflow(*arguments):
    return subprocess.run([AIRFLOW, *arguments], capture_output=True, text=True, check=False)


def test_dag(dag_id, **conf):
    """Runs a DAG; returns the states of its tasks, the calls of spark-submit, and the output."""
    CALLS.unlink(missing_ok=True)
    done = airflow("dags", "test", dag_id, "--conf", json.dumps(conf))
    (DIRECTORY / f"{dag_id}.log").write_text(done.stdout + done.stderr)
    calls = [json.loads(line) for line in CALLS.read_text().splitlines()] if CALLS.exists() else []
    return states(dag_id), calls, done.stdout + done.stderr


def states(dag_id):
    from airflow.models import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        latest = session.query(DagRun).filter(DagRun.dag_id == dag_id).order_by(DagRun.id.desc()).first()
        found = {}
        for instance in latest.get_task_instances(session=session):
            name = instance.task_id + (f"[{instance.map_index}]" if instance.map_index >= 0 else "")
            found[name] = str(instance.state)
        return found


def expect_states(found, output, **wanted):
    """Expects the states of some tasks, and success of all others."""
    wrong = {task: state for task, state in found.items() if state != wanted.get(task.replace("[", "_").replace("]", ""), "success")}
    expect(not wrong and found, f"states {wrong or 'none'}; output ends with {output[-1500:]}")


def exports(name):
    """The directories of exported students, one for each run that exported one."""
    return [file.parent for file in sorted((DIRECTORY / name / "export").glob("*/model.safetensors"))]


def commands(calls):
    return [call["words"][0] for call in calls]


def imports_without_warning():
    script = """
import json, sys, warnings
sys.path.insert(0, sys.argv[1])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import stillhouse_dag, stillhouse_predict_dag
print(json.dumps([[str(w.filename), w.category.__name__, str(w.message)] for w in caught]))
"""
    done = subprocess.run([sys.executable, "-c", script, ROOT / "conf/airflow"], capture_output=True, text=True, check=False)
    expect(done.returncode == 0, done.stderr[-1500:])
    caught = json.loads(done.stdout.splitlines()[-1])
    # Warnings name the module that caused them. Those caused by Airflow's modules, and by the libraries that they import, are ignored.
    ours = [warning for warning in caught if "site-packages" not in warning[0]]
    expect(not ours, f"warnings {ours}")
    return f"{len(caught)} warnings of third-party modules" if caught else "no warning at all"


def has_no_import_errors():
    done = airflow("dags", "list-import-errors", "-o", "json")
    expect(done.stdout.strip().splitlines()[-1] in ("[]", "No data found"), done.stdout)
    return "airflow dags list-import-errors"


def has_structure():
    sys.path.insert(0, str(DIRECTORY / "dags"))
    from tiny import distillation_dag

    dag = distillation_dag("tiny", "recipe.conf", pool="gpu")
    edges = {task.task_id: set(task.downstream_task_ids) for task in dag.tasks}
    expect(edges == EDGES, f"edges {edges}")
    pools = [task.task_id for task in dag.tasks if task.pool == "gpu"]
    expect(sorted(pools) == sorted(COMPUTING), f"tasks in the pool: {pools}")
    outlets = {task.task_id: task.outlets[0].uri for task in dag.tasks if getattr(task, "outlets", None)}
    expect(outlets == {"verify": "stillhouse://tiny/cache", "export": "stillhouse://tiny/student"}, f"outlets {outlets}")
    retries = {task.task_id: task.retries for task in dag.tasks if task.retries != 3}
    expect(retries == {"gate": 0}, f"retries {retries}")
    expect(dag.max_active_runs == 1, f"max_active_runs {dag.max_active_runs}")
    form = {name: dag.params.get_param(name) for name in dag.params}
    bare = [name for name, param in form.items() if not param.description or not (param.schema.get("type") or param.schema.get("enum"))]
    expect(len(form) == 9 and not bare, f"params without type or description: {bare}")
    return f"{len(edges)} tasks, {sum(map(len, edges.values()))} edges, {len(form)} params"


def gate_judges_by_numbers():
    from stillhouse_airflow import BETTER, IGNORED, NOT_WORSE, shortcomings

    def judged(difference, min_retention, baseline):
        retention = {"metric": "accuracy", "share": 0.94, "standardError": 0.01}
        pair = {"model": "tiny", "reference": "tiny-baseline", "metric": "accuracy", "difference": difference, "standardError": 0.01}
        models = [{"name": "tiny", "notFiniteRows": 0, "retention": retention}]
        return shortcomings({"models": models, "comparisons": [pair]}, "tiny", min_retention, baseline)

    passed = [(0.03, 0.9, BETTER), (0.01, 0.9, NOT_WORSE), (-0.01, 0.9, NOT_WORSE), (-0.03, 0.94, IGNORED), (-0.03, 0, IGNORED)]
    failed = [(0.01, 0.9, BETTER), (0.03, 0.95, BETTER), (-0.03, 0.9, NOT_WORSE), (float("nan"), 0.9, NOT_WORSE)]
    for case in passed:
        expect(judged(*case) == [], f"{case}: {judged(*case)}")
    for case in failed:
        expect(len(judged(*case)) == 1, f"{case} passes")
    expect(len(judged(-0.03, 0.95, BETTER)) == 2, "only one of two reasons is given")
    return judged(0.01, 0.9, BETTER)[0]


def runs_whole_recipe():
    found, calls, output = test_dag("tiny_whole", min_retention=0, baseline="ignored", plan="advisory")
    expect_states(found, output, train_student="skipped")
    expect(commands(calls) == ["check", "plan", "cache", "cache", "verify", "train", "evaluate", "export"], f"commands {commands(calls)}")
    expect(exports("whole"), "no exported student")
    options = calls[2]["options"]
    expect(options[options.index("--properties-file") + 1] == str(ROOT / "conf/spark-defaults.conf"), f"options {options}")
    return " -> ".join(commands(calls))


def updates_assets():
    from airflow.utils.session import create_session

    try:
        from airflow.models.asset import AssetEvent as Event
    except ImportError:  # Airflow 2.11
        from airflow.models.dataset import DatasetEvent as Event
    with create_session() as session:
        extras = {event.source_task_id: event.extra for event in session.query(Event).filter(Event.source_dag_id == "tiny_whole")}
    expect(set(extras) == {"verify", "export"}, f"events {extras}")
    expect(extras["verify"]["cache"] == f"file:{DIRECTORY}/whole/cache", f"events {extras}")
    expect(extras["export"] == {"export": f"file:{exports('whole')[0]}", "student": "tiny"}, f"events {extras}")
    return f"student {extras['export']['student']}"


def predicts_with_exported_student():
    table = {"model": str(exports("whole")[0]), "table": f"{DIRECTORY}/validation.tsv", "output": f"{DIRECTORY}/predictions"}
    table["settings"] = ["corpus.text=text", "corpus.max-length=40"]
    found, calls, output = test_dag("stillhouse_predict", **table)
    expect_states(found, output)
    expect(list((DIRECTORY / "predictions").glob("*/_predict.json")), "no predictions")
    return "stillhouse_predict"


def stops_at_plan():
    found, calls, output = test_dag("tiny_whole", settings=["plan.price-per-tb-month=1e12"])
    expect(found["plan"] == "failed" and found["cache"] == "upstream_failed", f"states {found}")
    expect("do not cache: " in output and "set the param plan to 'advisory'" in output, output[-1500:])
    expect(commands(calls) == ["check", "plan"], f"commands {commands(calls)}")
    return "the verdict is the error"


def does_not_retry_mistakes():
    Web.alerts.clear()
    found, calls, output = test_dag("tiny_whole", settings=["train.epoch=1"])
    expect(found["check"] == "failed" and found["export"] == "upstream_failed", f"states {found}")
    expect(commands(calls) == ["check"], f"commands {commands(calls)}")
    expect(len(Web.alerts) == 1 and "unknown key 'train.epoch'; did you mean" in Web.alerts[0], f"alerts {Web.alerts}")
    return f"one call; alert: {Web.alerts[0][:110]}..."


def stops_at_gate():
    Web.alerts.clear()
    found, calls, output = test_dag("tiny_whole", plan="skipped", min_retention=1.9, baseline="better")
    expect_states(found, output, plan="skipped", train_student="skipped", gate="failed", export="upstream_failed")
    expect("export" not in commands(calls), f"commands {commands(calls)}")
    expect(len(Web.alerts) == 1 and "its retention of the teacher's accuracy is" in Web.alerts[0], f"alerts {Web.alerts}")
    expect("its accuracy minus that of tiny-baseline is" in Web.alerts[0], f"alerts {Web.alerts}")
    return Web.alerts[0].split("nothing is exported: ")[1]


def continues_after_kill(command, files, count):
    kept = {}

    def check():
        pattern = f"{DIRECTORY}/killed/{files}"
        (DIRECTORY / "kill.json").write_text(json.dumps({"command": command, "files": pattern, "count": count}))
        found, calls, output = test_dag("tiny_killed", plan="skipped", min_retention=0, baseline="ignored")
        expect_states(found, output, plan="skipped", train_student="skipped")
        expect(not (DIRECTORY / "kill.json").exists(), f"{command} was not killed")
        expected = ["check", "cache", "cache", "verify", "train", "evaluate", "export"]
        expected.insert(expected.index(command), command)
        expect(sorted(commands(calls)) == sorted(expected), f"commands {commands(calls)}")
        return " -> ".join(commands(calls)) + str(kept or "")

    return check


def maps_students():
    found, calls, output = test_dag("tiny_swept", plan="skipped", sweep="one task per student", min_retention=0, baseline="not worse")
    expect_states(found, output, plan="skipped")
    only = sorted(word for call in calls for word in call["words"] if word.startswith("sweep.only="))
    expect(only == ["sweep.only=[layers-1]", "sweep.only=[layers-3]"], f"students {only}")
    expect(commands(calls).count("sweep") == 3, f"commands {commands(calls)}")
    expect(list((DIRECTORY / "swept/students").glob("*/sweep.json")), "no table of the sweep")
    exported = json.loads((exports("swept")[0] / "config.json").read_text())
    return f"{', '.join(only)}; exported the one of {exported['num_hidden_layers']} blocks"


def does_not_retry_mistakes_on_yarn():
    found, calls, output = test_dag("tiny_yarn", plan="skipped", settings=["corpus.text=nowhere"])
    expect(found["cache"] == "failed" and found["verify"] == "upstream_failed", f"states {found}")
    expect(commands(calls) == ["check", "cache"], f"commands {commands(calls)}")
    expect(deploy_modes(calls) == ["client", "cluster"], f"deploy modes {deploy_modes(calls)}")
    expect("AirflowFailException: " in output and "nowhere" in output.split("AirflowFailException: ")[1], output[-1500:])
    return "one call of cache, although spark-submit ended with 1"


def reads_results_on_standalone_cluster():
    found, calls, output = test_dag("tiny_standalone", plan="skipped", settings=["loss.attention-mse.weight=1"])
    failed = {task for task, state in found.items() if state == "failed"}
    expect(failed == {"train"} and found["verify"] == "success", f"states {found}")
    expect(commands(calls) == ["check", "cache", "verify", "train"], f"commands {commands(calls)}")
    expect(deploy_modes(calls) == ["client", *["cluster"] * 3], f"deploy modes {deploy_modes(calls)}")
    message = output.split("AirflowFailException: ")[1].splitlines()[0]
    return f"cache and verify succeed; train fails: {message[:100]}..."


class Store(dict):
    """Stands in for the state that Airflow 3.3 keeps for a task from one attempt to the next."""

    def set(self, key, value):
        self[key] = value


def reconnects_to_driver():
    from stillhouse_airflow import StillhouseOperator

    if not hasattr(airflow_sdk(), "ResumableJobMixin"):
        raise Skip("this version of Airflow keeps no state between attempts")
    driver, first = "driver-20260101000000-0001", DIRECTORY / "reconnected/cache-1.json"
    first.parent.mkdir()
    first.write_text(json.dumps({"exitCode": 0, "outputs": {"cache": "of attempt 1"}}))
    threading.Timer(3, (DIRECTORY / f"{driver}.code").write_text, ["0"]).start()
    operator = StillhouseOperator(task_id="cache", command="cache", recipe=False, records=str(first.parent), conn_id="standalone")
    operator.allow_nested_operators = True  # runs outside of a task
    second_attempt = types.SimpleNamespace(task_id="cache", map_index=-1, try_number=2, stats_tags={})
    store = Store(spark_job_id=driver, stillhouse_result=f"file:{first}")
    CALLS.unlink(missing_ok=True)
    result = operator.execute({"ti": second_attempt, "params": {}, "task_state_store": store})
    expect(not CALLS.exists(), "the command was submitted again")
    expect(result["outputs"]["cache"] == "of attempt 1", f"result {result}")
    return "waits for the driver of attempt 1, and reads its result"


def airflow_sdk():
    try:
        import airflow.sdk
    except ImportError:  # Airflow 2.11
        return None
    return airflow.sdk


def deploy_modes(calls):
    """The deploy modes of calls; client is the default."""
    options = [call["options"] for call in calls]
    return [each[each.index("--deploy-mode") + 1] if "--deploy-mode" in each else "client" for each in options]


if __name__ == "__main__":
    prepare()
    run(
        {
            "the DAGs are imported without a warning": imports_without_warning,
            "the DAG folder has no import errors": has_no_import_errors,
            "the DAG has its tasks, edges, pool, outlets, retries and params": has_structure,
            "the gate judges by numbers": gate_judges_by_numbers,
            "the DAG runs from check to export": runs_whole_recipe,
            "cache and student update their assets": updates_assets,
            "the second DAG predicts with the exported student": predicts_with_exported_student,
            "the DAG stops if the plan recommends not to cache": stops_at_plan,
            "a mistake in the recipe is not retried": does_not_retry_mistakes,
            "a failed gate stops the export": stops_at_gate,
            "a killed cache continues": continues_after_kill("cache", "cache/**/*.parquet", 5),
            "a killed training continues": continues_after_kill("train", "students/*/_checkpoints/tiny/*", 1),
            "students of a sweep are mapped": maps_students,
            "a mistake is not retried on YARN in the deploy mode cluster": does_not_retry_mistakes_on_yarn,
            "results are read on a standalone cluster in the deploy mode cluster": reads_results_on_standalone_cluster,
            "a retry on a standalone cluster reconnects to the driver": reconnects_to_driver,
        }
    )
