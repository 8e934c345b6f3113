"""Stands in for spark-submit in checks: records its arguments, and runs the distribution's spark-submit.

For the deploy mode cluster on YARN, runs the driver in local mode and ends with 1 for any failure, as YARN's client does. If kill.json in
$CHECK_DIRECTORY names the command, its JVM is killed as soon as there are so many files that match a pattern.
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
    if "yarn" in arguments[arguments.index("--master") + 1]:
        arguments[arguments.index("--master") + 1] = "local[2]"
    process = subprocess.Popen([f"{os.environ['SPARK_HOME']}/bin/spark-submit", *arguments])
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
