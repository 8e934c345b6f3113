"""Runs cache, train and evaluate for one recipe. Put this file, or a link to it, into Airflow's DAG folder.

Needs apache-airflow-providers-apache-spark, and the Spark connection `spark_default` (set its deploy mode to client). Settings, all optional:
  STILLHOUSE_HOME        the checkout; needed if this file is a copy outside of it
  STILLHOUSE_SPARK_CONF  Spark properties for the cluster, in place of the cluster's own; default conf/spark-defaults.conf
  stillhouse_jar         an Airflow Variable: the jar; default jobs/target/stillhouse.jar
The params of a run are `recipe` and `settings`, a list of key=value strings that override the recipe.
"""

import os
from datetime import timedelta
from pathlib import Path

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

try:
    from airflow.providers.common.compat.sdk import DAG, AirflowException, AirflowFailException, Param
except ImportError:  # the provider of Airflow 2.10
    from airflow import DAG
    from airflow.exceptions import AirflowException, AirflowFailException
    from airflow.models.param import Param

HOME = Path(os.environ.get("STILLHOUSE_HOME", Path(__file__).resolve().parents[2]))
JAR = HOME / "jobs/target/stillhouse.jar"


class StillhouseOperator(SparkSubmitOperator):
    """Runs one command. Exit code 2 is a mistake in the recipe or the data, so it is not retried."""

    def __init__(self, *, command, **kwargs):
        super().__init__(
            name=f"stillhouse-{command}",
            application="{{ var.value.get('stillhouse_jar', '%s') }}" % JAR,
            java_class="io.stillhouse.jobs.cli.Stillhouse",
            properties_file=os.environ.get("STILLHOUSE_SPARK_CONF", str(HOME / "conf/spark-defaults.conf")),
            application_args=[command, "{{ params.recipe }}"],
            **kwargs,
        )

    def execute(self, context):
        self.application_args = [*self.application_args, *context["params"]["settings"]]
        try:
            return super().execute(context)
        except AirflowException as failure:
            if "Error code is: 2." in str(failure):
                raise AirflowFailException(f"not retried; fix the recipe or the data: {failure}") from failure
            raise


with DAG(
    "stillhouse",
    description="Caches teacher outputs, trains students from them, and evaluates the students",
    schedule=None,  # or a cron expression
    catchup=False,
    max_active_runs=1,  # a cache has one writer
    params={
        "recipe": Param(str(HOME / "conf/distilbert-small.conf"), type="string", description="Path of a recipe on the driver's machine."),
        "settings": Param([], type="array", items={"type": "string"}, description="key=value strings that override the recipe."),
    },
    # Each job resumes where it was interrupted, so a retry costs only what was not yet written.
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2), "retry_exponential_backoff": True},
    tags=["stillhouse"],
):
    cache = StillhouseOperator(task_id="cache", command="cache")
    train = StillhouseOperator(task_id="train", command="train")
    evaluate = StillhouseOperator(task_id="evaluate", command="evaluate")
    cache >> train >> evaluate
