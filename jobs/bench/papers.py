"""Merges the results of jobs/bench/papers into a file: papers.py DIR [papers.json]. Local paths are shortened to names."""

import json
import sys
from pathlib import Path


def shortened(value):
    if isinstance(value, dict):
        return {
            key: Path(v).name if key == "path" else [Path(p).name for p in v] if key == "paths" else shortened(v)
            for key, v in value.items()
        }
    return [shortened(v) for v in value] if isinstance(value, list) else value


results = Path(sys.argv[1]) / "results"
to = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_name("papers.json")
merged = json.loads(to.read_text()) if to.exists() else {}
merged.update({f.stem: shortened(json.loads(f.read_text())) for f in results.glob("*.json")})
to.write_text(json.dumps(merged, indent=1) + "\n")
