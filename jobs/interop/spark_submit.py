"""Stands in for spark-submit in checks: records its arguments, and runs the distribution's spark-submit.

In the deploy mode cluster, the driver runs in local mode. On YARN, this script then ends with 1 for any failure, as YARN's client does; on
a standalone cluster, it ends at once, after it has printed the id of the driver. If kill.json in $CHECK_DIRECTORY names the command, its
JVM is killed as soon as there are so many files that match a pattern.
"""

import glob
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

DIRECTORY = pathlib.Path(os.environ["CHECK_DIRECTORY"])
KILL = DIRECTORY / "kill.json"


def main():
    arguments = sys.argv[1:]
    words = arguments[arguments.index(next(word for word in arguments if word.endswith(".jar"))) + 1 :]
    with open(DIRECTORY / "calls.jsonl", "a") as calls:
        calls.write(json.dumps({"options": arguments[: -len(words)], "words": words}) + "\n")
    in_cluster = "--deploy-mode" in arguments and arguments[arguments.index("--deploy-mode") + 1] == "cluster"
    if in_cluster:
        arguments[arguments.index("--deploy-mode") + 1] = "client"
    master = arguments[arguments.index("--master") + 1]
    arguments[arguments.index("--master") + 1] = "local[2]"
    submit = [f"{os.environ['SPARK_HOME']}/bin/spark-submit", *arguments]
    if in_cluster and master.startswith("spark:"):
        driver = f"driver-{time.strftime('%Y%m%d%H%M%S')}-{os.getpid()}"
        script = 'code="$1"; shift; "$@" > /dev/null 2>&1; echo $? > "$code"'
        subprocess.Popen(["bash", "-c", script, "driver", f"{DIRECTORY}/{driver}.code", *submit], start_new_session=True)
        print(f"Driver successfully submitted as {driver}")
        return
    process = subprocess.Popen(submit)
    while process.poll() is None:
        time.sleep(0.02)
        if KILL.exists():
            kill = json.loads(KILL.read_text())
            if kill["command"] == words[0] and len(glob.glob(kill["files"], recursive=True)) >= kill["count"]:
                process.send_signal(signal.SIGKILL)
                KILL.unlink()
    code = process.wait()
    sys.exit(min(abs(code), 1) if in_cluster else code if code >= 0 else 128 - code)


main()
