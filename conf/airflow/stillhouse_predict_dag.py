"""A DAG that runs whenever the DAG `stillhouse` has exported a student: it adds the student's predictions to a table."""

import sys
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # stillhouse_airflow.py is next to this file, also if this is a link

from stillhouse_airflow import DAG, RECORDS, START, Param, StillhouseOperator, student_asset, task  # noqa: E402


@task(retries=0)
def model(params=None, **context):
    """Returns the directory of the student whose export triggered this run, or that of the params."""
    if params["model"]:
        return params["model"]
    # The name of the context variable in Airflow 3 and in Airflow 2.
    events = context["triggering_asset_events" if "triggering_asset_events" in context else "triggering_dataset_events"]
    return next(event.extra["export"] for of_asset in events.values() for event in reversed(of_asset))


with DAG(
    "stillhouse_predict",
    description="Adds the predictions of the newest student to a table",
    schedule=[student_asset("stillhouse")],
    start_date=START,
    catchup=False,
    params={
        "model": Param(
            "", type="string", title="Model", description="Directory of an export. Empty for the student that triggered the run."
        ),
        "table": Param("/data/table.parquet", type="string", title="Table", description="File or directory of texts."),
        "settings": Param(
            ["corpus.text=text"],
            type="array",
            items={"type": "string"},
            title="Settings",
            description="key=value, one per line; corpus.text names the column of the text.",
        ),
        "output": Param("/data/predictions", type="string", title="Output", description="Parent of a new directory for each run."),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    tags=["stillhouse"],
) as dag:
    run = "{{ run_id | replace(':', '-') | replace('+', '-') }}"
    model() >> StillhouseOperator(
        task_id="predict",
        command="predict",
        recipe=False,
        arguments=["{{ ti.xcom_pull(task_ids='model') }}", "{{ params.table }}", "{{ params.output }}/" + run],
        records=f"{RECORDS}/stillhouse_predict/{run}",
        driver_memory="4g",
    )
