"""Builds Airflow DAGs that run a recipe of Stillhouse: distillation_dag. For Airflow 3 (tested with 3.3) and 2.11.

    check -> students -> plan -> cache -> verify -> train or sweep -> evaluate -> gate -> export

Needs apache-airflow-providers-apache-spark 6, a Spark connection, and `spark-submit` of Spark 3.5 on the PATH of Airflow's workers.
README.md in this directory describes the set-up, all settings and the deploy modes.
"""

import json
import logging
import os
import re
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import fsspec
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

try:
    from airflow.sdk import DAG, Asset, BaseHook, Param, task
    from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.datasets import Dataset as Asset
    from airflow.decorators import task
    from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException
    from airflow.hooks.base import BaseHook
    from airflow.models.param import Param

LOG = logging.getLogger(__name__)
HOME = Path(os.environ.get("STILLHOUSE_HOME", Path(__file__).resolve().parents[2]))
IN_ARCHIVE, IN_CHECKOUT = HOME / "lib/stillhouse.jar", HOME / "jobs/target/stillhouse.jar"
JAR = os.environ.get("STILLHOUSE_JAR", str(IN_ARCHIVE if IN_ARCHIVE.exists() else IN_CHECKOUT))
PROPERTIES = os.environ.get("STILLHOUSE_SPARK_CONF", str(HOME / "conf/spark-defaults.conf"))
START = datetime(2026, 1, 1, tzinfo=timezone.utc)  # Airflow 2 requires one; without catch-up, it has no other effect
# A directory that the workers of Airflow and the driver see under the same path or URL.
RECORDS = os.environ.get("STILLHOUSE_RECORDS", str(Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "stillhouse"))

USER_MISTAKE = 2  # the exit code for a mistake in the recipe, its arguments or its data
STANDARD_ERRORS = 2  # a difference counts if it exceeds this many of its standard errors
ONE_TASK, TASK_PER_STUDENT = "one task", "one task per student"
REQUIRED, ADVISORY, SKIPPED = "required", "advisory", "skipped"
BETTER, NOT_WORSE, IGNORED = "better", "not worse", "ignored"

# What jobs/bin/stillhouse sets for a driver that runs on this machine; variables that are already set take precedence.
DRIVER_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_TOP_PAD_": "67108864",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "GOMP_SPINCOUNT": "1000",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "STILLHOUSE_LOG_LEVEL": "info",
    "LOG4J_CONFIGURATION_FILE": str(HOME / "conf/log4j2.properties"),
}

EXPORT_TO = "{{ 'export.to=' ~ params.export_to if params.export_to else '' }}"


def cache_asset(dag_id):
    """The asset (in Airflow 2.11, the dataset) that is updated when a DAG has written and verified its cache."""
    return Asset(f"stillhouse://{dag_id}/cache")


def student_asset(dag_id):
    """The asset that is updated when a student has passed the gate and was exported; `export` in its extra is the directory."""
    return Asset(f"stillhouse://{dag_id}/student")


def url(directory):
    """Returns a directory as Hadoop reads it: without a scheme, it would be in the cluster's default file system."""
    return directory if "://" in directory else f"file:{directory}"


def read_json(path):
    """Reads a file of the records, or returns None if there is none. URLs are opened by fsspec."""
    try:
        with fsspec.open(re.sub("^file:/+", "/", path), "rt", encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def delete(path):
    file_system, name = fsspec.core.url_to_fs(re.sub("^file:/+", "/", path))
    if file_system.exists(name):
        file_system.rm_file(name)


class StillhouseOperator(SparkSubmitOperator):
    """Runs one command, and returns its result: exitCode, message, outputs by kind, students.

    The command writes its result to a file (job.result), which is read in every deploy mode. The error of the task is the message of the
    command. Exit code 2, a mistake that no retry can fix, fails the task without further retries.

    :param command: the command (templated)
    :param recipe: whether the command takes a recipe: the param `recipe` of the run, then its param `settings`, then the arguments.
        Otherwise, it takes the arguments, then the param `settings` if there is one
    :param arguments: the arguments; those that are rendered to an empty text are left out (templated)
    :param extra: the extra of the event of each outlet (templated)
    :param condition: the task is skipped if this is rendered to "False" (templated)
    :param records: directory of the result files (templated)
    """

    template_fields = (*SparkSubmitOperator.template_fields, "command", "arguments", "extra", "condition", "records")

    def __init__(
        self,
        *,
        command,
        recipe=True,
        arguments=(),
        extra=None,
        condition="True",
        records=RECORDS,
        conn_id="spark_default",
        deploy_mode=None,
        **kwargs,
    ):
        super().__init__(
            java_class="io.stillhouse.jobs.cli.Stillhouse",
            conn_id=conn_id,
            deploy_mode=deploy_mode,
            **{"application": JAR, "properties_file": PROPERTIES, "name": f"stillhouse {command}", **kwargs},
        )
        self.command = command
        self.recipe = recipe
        self.arguments = list(arguments)
        self.extra = extra or {}
        self.condition = condition
        self.records = records
        self.connection_id = conn_id
        self.deploy_mode = deploy_mode
        self.tracked_by_yarn = kwargs.get("yarn_track_via_rm_api", False)
        self.result_file = None

    def execute(self, context):
        if self.condition == "False":
            raise AirflowSkipException("skipped by the params of this run")
        in_cluster = self.prepare_for_connection()
        self.result_file = self.file_of_attempt(context["ti"])
        delete(self.result_file)
        params, arguments = context["params"], [argument for argument in self.arguments if argument]
        settings = params.get("settings", [])
        words = [params["recipe"], *settings, *arguments] if self.recipe else [*arguments, *settings]
        self.application_args = [self.command, *words, f"job.result={self.result_file}"]
        failure = None
        try:
            super().execute(context)
        except Exception as error:
            failure = error
        result = self.result(context, seconds=10 if in_cluster else 0)
        self.require_success(result, failure)
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = self.extra
        return result

    def prepare_for_connection(self):
        """Sets what depends on the Spark connection, and returns whether the driver runs in the cluster."""
        connection = BaseHook.get_connection(self.connection_id)
        in_cluster = (self.deploy_mode or connection.extra_dejson.get("deploy-mode")) == "cluster"
        if in_cluster and "yarn" in f"{connection.conn_type} {connection.host}" and not self.tracked_by_yarn:
            self.durable = False  # the provider can reconnect to a YARN application only through the ResourceManager's API
        if not in_cluster:
            already_set = {name: value for name, value in os.environ.items() if name in DRIVER_ENVIRONMENT}
            self.env_vars = {**DRIVER_ENVIRONMENT, **already_set, **(self.env_vars or {})}
        return in_cluster

    def submit_job(self, context):
        """The provider calls this if it tracks a driver in the cluster, unless a retry reconnects to the driver of an earlier attempt."""
        driver = super().submit_job(context)
        if (store := context.get("task_state_store")) is not None:
            store.set("stillhouse_result", self.result_file)
        return driver

    def file_of_attempt(self, ti):
        """Returns the result file of this attempt. Attempts have different files, so that none reads the result of an earlier one."""
        index = f"-{ti.map_index}" if ti.map_index >= 0 else ""
        return f"{url(self.records)}/{ti.task_id}{index}-{ti.try_number}.json"

    def result(self, context, seconds):
        """Returns the result of the command, or None if there is no file after some seconds: network file systems show files late."""
        store = context.get("task_state_store")
        path = (store is not None and store.get("stillhouse_result")) or self.result_file
        deadline = time.monotonic() + seconds
        while (result := read_json(path)) is None and time.monotonic() < deadline:
            time.sleep(0.5)
        return result

    def require_success(self, result, failure):
        """Raises the error of the task, unless the command succeeded."""
        if result is None and "Error code is: 2." in str(failure):
            raise AirflowFailException(f"{self.command} found a mistake in its arguments, recipe or data: see the log") from failure
        if result is None:
            raise failure or AirflowException(f"{self.command} left no result in '{self.result_file}'; can the driver write there?")
        if result["exitCode"] == USER_MISTAKE:
            raise AirflowFailException(result["message"]) from failure
        if result["exitCode"] != 0:
            raise AirflowException(
                f"{self.command} ended with exit code {result['exitCode']}: {result.get('message', failure)}"
            ) from failure
        if failure is not None:
            LOG.warning("%s succeeded, although its submission reported: %s", self.command, failure)


@task(task_id="students")
def students_to_map(check, params=None):
    """Returns the students of the sweep that are trained by tasks of their own."""
    if "export" not in check["outputs"]:
        raise AirflowFailException("the recipe does not set export.to; set it, or the param export_to")
    return check["students"] if "sweep" in check["outputs"] and params["sweep"] == TASK_PER_STUDENT else []


@task(task_id="gate", retries=0)
def gate(check, evaluate, params=None):
    """Returns the name and the path of the student to export, or fails if no student is good enough."""
    path = evaluate["outputs"]["evaluation"]
    evaluation = read_json(path)
    if evaluation is None:
        raise AirflowException(f"there is no '{path}'; workers and the driver must see the records under the same path (STILLHOUSE_RECORDS)")
    chosen = choose(evaluation, check["students"], params["min_retention"], params["baseline"])
    print("\n".join(evaluation["verdict"]))
    return {"name": chosen["name"], "path": chosen["path"]}


class PlanOperator(StillhouseOperator):
    """Runs plan, and fails with its verdict if it recommends not to cache and the param `plan` is "required"."""

    def execute(self, context):
        result = super().execute(context)
        verdict = result.get("message", "")
        if verdict.startswith("do not cache") and context["params"]["plan"] == REQUIRED:
            raise AirflowFailException(f"{verdict}. To cache anyway, set the param plan to '{ADVISORY}'")
        return result


class SweepStudentOperator(StillhouseOperator):
    """Trains one student of a sweep."""

    def __init__(self, *, student, **kwargs):
        super().__init__(command="sweep", **kwargs)
        self.student = student

    def execute(self, context):
        self.arguments = [*self.arguments, f"sweep.only=[{self.student}]"]
        return super().execute(context)


def shortcomings(evaluation, student, min_retention, baseline):
    """Returns why a student does not pass the gate, with the numbers; an empty list if it passes."""
    model = next((each for each in evaluation["models"] if each["name"] == student), None)
    if model is None:
        return ["was not evaluated"]
    if model["notFiniteRows"]:
        return [f"an output is not finite for {model['notFiniteRows']} rows"]
    reasons = []
    retention = model.get("retention")
    if min_retention > 0 and retention is None:
        reasons.append("has no retention, because the evaluated rows have no labels (set min_retention to 0)")
    elif min_retention > 0 and not retention["share"] >= min_retention:
        reasons.append(
            f"its retention of the teacher's {retention['metric']} is {retention['share']:.4f}, but must be at least {min_retention}"
        )
    if baseline == IGNORED:
        return reasons
    names = {f"{student}-baseline", "baseline" if student == "distilled" else ""}
    pairs = [each for each in evaluation["comparisons"] if each["model"] == student and each["reference"] in names]
    pair = next((each for each in pairs if each["metric"] == (retention or {}).get("metric", each["metric"])), None)
    if pair is None:
        reasons.append(f"has no baseline to compare with (set train.baseline=true, or the param baseline to '{IGNORED}')")
        return reasons
    least = (STANDARD_ERRORS if baseline == BETTER else -STANDARD_ERRORS) * pair["standardError"]
    if not (pair["difference"] > least if baseline == BETTER else pair["difference"] >= least):
        reasons.append(
            f"its {pair['metric']} minus that of {pair['reference']} is {pair['difference']:+.4f}"
            f" (standard error {pair['standardError']:.4f}), but must be {'more than' if baseline == BETTER else 'at least'} {least:+.4f}"
        )
    return reasons


def choose(evaluation, students, min_retention, baseline):
    """Returns the best student that passes the gate, and fails with the shortcomings of all students if there is none."""
    reasons = {name: shortcomings(evaluation, name, min_retention, baseline) for name in students}
    passed = [model for model in evaluation["models"] if reasons.get(model["name"]) == []]
    if not passed:
        raise AirflowFailException("nothing is exported: " + "; ".join(f"{name} {', '.join(why)}" for name, why in reasons.items()))
    return max(passed, key=lambda model: (model.get("retention") or {}).get("share", model["metrics"].get("agreement", 0)))


def params(recipe, settings, validation):
    return {
        "recipe": Param(recipe, type="string", title="Recipe", description="Path of the recipe. Its own paths must be absolute."),
        "settings": Param(
            list(settings),
            type="array",
            items={"type": "string"},
            title="Settings",
            description="key=value, one per line; they override the recipe.",
        ),
        "validation": Param(
            list(validation),
            type="array",
            items={"type": "string"},
            title="Validation rows",
            description="Held-out files to cache to train.validation. Leave empty if the recipe does not set it, or if that cache exists.",
        ),
        "plan": Param(
            REQUIRED,
            enum=[REQUIRED, ADVISORY, SKIPPED],
            title="Plan",
            description="required: stop if the plan recommends not to cache. advisory: continue anyway. skipped: make no plan.",
        ),
        "sweep": Param(
            ONE_TASK,
            enum=[ONE_TASK, TASK_PER_STUDENT],
            title="Sweep",
            description="one task: all students in one Spark application, which share passes over the cache. one task per student: mapped.",
        ),
        "min_retention": Param(
            0.9,
            type="number",
            minimum=0,
            maximum=2,
            title="Minimum retention",
            description="Share of the teacher's metric that the student must keep to be exported. 0 for no condition.",
        ),
        "baseline": Param(
            BETTER,
            enum=[BETTER, NOT_WORSE, IGNORED],
            title="Difference from the baseline",
            description="better or not worse than the baseline by more than two standard errors of the difference. ignored: no condition.",
        ),
        "export_to": Param("", type="string", title="Export to", description="Replaces export.to of the recipe, unless it is empty."),
        "separate_runs": Param(
            True,
            type="boolean",
            title="Separate runs",
            description="Students and exports go to a subdirectory of train.path and of export.to that is named after the run. Otherwise, "
            "existing students are kept, and a run fails if the cache or the recipe has changed since they were trained.",
        ),
    }


def distillation_dag(
    dag_id,
    recipe,
    *,
    settings=(),
    validation=(),
    pool="default_pool",
    retries=3,
    retry_delay=timedelta(minutes=2),
    submit=None,
    records=RECORDS,
    on_failure_callback=None,
    **dag_arguments,
):
    """Returns a DAG that distills the student of a recipe, or those of its sweep.

    :param recipe: path of the recipe, the default of the param `recipe`; `settings` and `validation` are those of the params of these names
    :param pool: pool of the tasks that compute; its slots limit the GPUs (or machines) in use
    :param retries: maximum number of retries of a failed task; each resumes where the failed attempt stopped
    :param submit: arguments of SparkSubmitOperator for all tasks, such as conn_id, conf, driver_memory or executor_memory
    :param records: directory of the records of all runs
    :param on_failure_callback: called when a task has failed and is not retried
    :param dag_arguments: further arguments of the DAG, such as schedule and tags
    """
    run = "{{ run_id | replace(':', '-') | replace('+', '-') }}"  # HDFS allows no colon
    run_records = f"{records}/{dag_id}/{run}"
    light = {"driver_memory": "4g", **(submit or {}), "records": run_records}
    computing = {**light, "pool": pool}
    outputs = "ti.xcom_pull(task_ids='check')['outputs']"
    own = "{% if params.separate_runs %}/" + run + "{% endif %}"
    students_path = "train.path={{ %s['students'] }}%s" % (outputs, own)
    exported = "{{ %s['export'] }}%s" % (outputs, own)
    default_args = {
        "retries": retries,
        "retry_delay": retry_delay,
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(hours=1),
        "on_failure_callback": on_failure_callback,
    }
    with DAG(
        dag_id,
        params=params(recipe, settings, validation),
        max_active_runs=1,  # a cache has one writer
        default_args=default_args,
        **{"schedule": None, "start_date": START, "catchup": False, "tags": ["stillhouse"], **dag_arguments},
    ) as dag:
        # In client mode, because YARN reports a driver that starts no Spark session as failed.
        check = StillhouseOperator(task_id="check", command="check", arguments=[EXPORT_TO], **{**light, "deploy_mode": "client"})
        students = students_to_map(check.output)
        plan = PlanOperator(
            task_id="plan",
            command="plan",
            # The validation cache may not exist yet, and does not change the costs.
            arguments=[
                f"plan.output={url(run_records)}/plan.json",
                "train.validation=",
                "train.keep=last",
                "train.eval-every=0",
                "train.early-stopping-patience=0",
            ],
            condition="{{ params.plan != '%s' }}" % SKIPPED,
            **computing,
        )
        cache = StillhouseOperator(task_id="cache", command="cache", trigger_rule="none_failed", **computing)
        cache_validation = StillhouseOperator(
            task_id="cache_validation",
            command="cache",
            arguments=[
                """corpus.path=["{{ params.validation | join('","') }}"]""",
                "corpus.unlabelled=[]",
                "cache.path={{ %s['validation-cache'] }}" % outputs,
            ],
            condition="{{ params.validation | length > 0 }}",
            trigger_rule="none_failed",
            **computing,
        )
        verify = StillhouseOperator(
            task_id="verify",
            command="verify",
            recipe=False,
            arguments=["{{ %s['cache'] }}" % outputs],
            outlets=[cache_asset(dag_id)],
            extra={"cache": "{{ %s['cache'] }}" % outputs},
            **computing,
        )
        # Has one instance for each student if the param sweep says so; otherwise, it has none and is skipped.
        train_student = SweepStudentOperator.partial(
            task_id="train_student",
            arguments=[students_path],
            trigger_rule="none_failed",
            map_index_template="{{ task.student }}",
            **computing,
        ).expand(student=students)
        # Trains the student, or all students of the sweep. If they have been trained, it only writes the sweep's table.
        train = StillhouseOperator(
            task_id="train",
            command="{{ 'sweep' if 'sweep' in %s else 'train' }}" % outputs,
            arguments=[students_path],
            trigger_rule="none_failed",
            **computing,
        )
        evaluate = StillhouseOperator(
            task_id="evaluate",
            command="evaluate",
            arguments=[students_path, f"evaluate.output={url(run_records)}/evaluation.json"],
            **computing,
        )
        passed = gate(check.output, evaluate.output)
        export = StillhouseOperator(
            task_id="export",
            command="export",
            arguments=["export.from={{ ti.xcom_pull(task_ids='gate')['path'] }}", f"export.to={exported}"],
            outlets=[student_asset(dag_id)],
            extra={"export": exported, "student": "{{ ti.xcom_pull(task_ids='gate')['name'] }}"},
            **light,
        )
        check >> students >> plan >> cache >> verify
        plan >> cache_validation
        [verify, cache_validation] >> train_student >> train >> evaluate >> passed >> export
        [verify, cache_validation] >> train
    return dag
