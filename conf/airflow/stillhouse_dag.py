"""A DAG that distills one recipe; copy this file for each recipe that runs on a schedule."""

import json
import logging
import os
import sys
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # stillhouse_airflow.py is next to this file, also if this is a link

from stillhouse_airflow import HOME, distillation_dag  # noqa: E402


def alert(context):
    """Posts the error of a task that is not retried to a webhook, in the format of Slack and Teams. An example to adapt."""
    ti = context["ti"]
    text = f"{ti.dag_id}: {ti.task_id} failed in {context['run_id']}: {context.get('exception')}"
    webhook = os.environ.get("STILLHOUSE_WEBHOOK")
    if not webhook:
        logging.getLogger(__name__).error("%s (set STILLHOUSE_WEBHOOK to post this to a webhook)", text)
        return
    body = json.dumps({"text": text}).encode()
    request = urllib.request.Request(webhook, body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()


dag = distillation_dag(
    "stillhouse",
    os.environ.get("STILLHOUSE_RECIPE", str(HOME / "q/recipe.conf")),
    schedule=None,  # or a cron expression: each run then caches the files that were added to the corpus
    pool=os.environ.get("STILLHOUSE_POOL", "default_pool"),
    on_failure_callback=alert,
)
