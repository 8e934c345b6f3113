"""Submits a command to a local server that answers like Kubernetes' API, and checks the driver's pod."""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

IMAGE = "registry.example/stillhouse:1"
SECRET = "planted-secret-value"
LIMIT = "job.stop-seconds=110"


class Api(http.server.BaseHTTPRequestHandler):
    """Accepts every object and returns it with a name and an identifier."""

    created = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Api.created.append(body)
        metadata = body.setdefault("metadata", {})
        metadata.setdefault("uid", f"uid-{len(Api.created)}")
        metadata.setdefault("resourceVersion", "1")
        metadata.setdefault("namespace", "default")
        self.answer(201, body)

    def do_PATCH(self):
        self.do_POST()

    def do_GET(self):
        name = self.path.split("?")[0].rsplit("/", 1)[1]
        for body in Api.created:
            if body.get("metadata", {}).get("name") == name:
                return self.answer(200, body)
        return self.answer(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound"})

    def answer(self, code, body):
        text = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words):
        pass


def submit(root, port, properties):
    """Returns the objects that a submission creates."""
    Api.created = []
    command = [
        root / "jobs/bin/stillhouse", "--properties-file", f"conf/{properties}", "--master", f"k8s://http://127.0.0.1:{port}",
        "--conf", f"spark.kubernetes.container.image={IMAGE}", "--conf", "spark.kubernetes.submission.waitAppCompletion=false",
        "--conf", "spark.kubernetes.driver.secretKeyRef.AWS_SECRET_ACCESS_KEY=stillhouse-s3:secret-key",
        "--conf", "spark.kubernetes.executor.secretKeyRef.AWS_SECRET_ACCESS_KEY=stillhouse-s3:secret-key",
        "--conf", "spark.driver.memory=4g", "--conf", "spark.driver.memoryOverhead=2g", "cache", "/recipes/recipe.conf", LIMIT,
    ]
    with tempfile.TemporaryDirectory() as home:
        config = pathlib.Path(home) / "none"
        environment = {
            **os.environ,
            "STILLHOUSE_JAR": "local:///opt/stillhouse/stillhouse.jar",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "KUBECONFIG": str(config),
        }
        done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        sys.exit(f"kubernetes: spark-submit failed with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return list(Api.created), done.stdout + done.stderr


def check(root, port, properties, gpus):
    objects, output = submit(root, port, properties)
    pods = [body for body in objects if body["kind"] == "Pod"]
    assert len(pods) == 1, [body["kind"] for body in objects]
    spec = pods[0]["spec"]
    container = spec["containers"][0]
    variables = {each["name"]: each for each in container["env"]}
    text = json.dumps(objects) + output
    maps = "".join(value for body in objects if body["kind"] == "ConfigMap" for value in body.get("data", {}).values())
    found = {
        "the image": container["image"] == IMAGE,
        "the service account": spec["serviceAccountName"] == "stillhouse",
        "the grace period": spec["terminationGracePeriodSeconds"] == 120,
        "the memory, heap and overhead": container["resources"]["limits"]["memory"] == "6144Mi",
        "the label that Prometheus looks for": pods[0]["metadata"]["labels"]["spark-role"] == "driver",
        "the secret by reference": variables["AWS_SECRET_ACCESS_KEY"].get("valueFrom", {}).get("secretKeyRef")
        == {"name": "stillhouse-s3", "key": "secret-key"},
        "no secret's value": SECRET not in text,
        "the command": container["args"][-4:] == ["local:///opt/stillhouse/stillhouse.jar", "cache", "/recipes/recipe.conf", LIMIT],
        "the executors' memory": ("spark.executor.memoryOverhead=8g" if gpus else "spark.executor.memoryOverhead=6g") in maps,
        "the executors' GPUs": ("spark.executor.resource.gpu.vendor=nvidia.com" in maps) == gpus,
        "the defaults of conf/spark-defaults.conf": "spark.hadoop.parquet.page.verify-checksum.enabled=true" in maps,
    }
    missing = [name for name, present in found.items() if not present]
    if missing:
        print(json.dumps(objects, indent=2), output, file=sys.stderr)
        sys.exit(f"kubernetes: {properties}: wrong or missing: {', '.join(missing)}")
    print(f"kubernetes: {properties}: {len(found)} properties of the driver's pod are right")


def main():
    root = pathlib.Path(sys.argv[1])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    check(root, server.server_port, "spark-kubernetes.conf", gpus=False)
    check(root, server.server_port, "spark-gpu-kubernetes.conf", gpus=True)


main()
