"""Checks that TensorBoard reads every number that a training reported while it ran.

check_tensorboard.py METRICS_DIR

METRICS_DIR contains a directory for each student, with steps.jsonl and TensorBoard event files of the same steps.
"""

import json
import pathlib
import struct
import sys

from outcome import expect, run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

NOT_SCALARS = ("time", "step", "steps")


def as_float32(number):
    return struct.unpack("<f", struct.pack("<f", number))[0]


def same_numbers(student):
    # A resumed run repeats steps; its lines replace the earlier ones, as TensorBoard does with event files.
    lines = {}
    for line in map(json.loads, (student / "steps.jsonl").read_text(encoding="utf-8").splitlines()):
        lines = {step: earlier for step, earlier in lines.items() if step < line["step"]} | {line["step"]: line}
    events = EventAccumulator(str(student), size_guidance={"scalars": 0}).Reload()
    names = {name for line in lines.values() for name in line} - set(NOT_SCALARS)
    expect(set(events.Tags()["scalars"]) == names, f"tags {sorted(events.Tags()['scalars'])}, not {sorted(names)}")
    for name in names:
        theirs = {event.step: event.value for event in events.Scalars(name)}
        ours = {step: as_float32(line[name]) for step, line in lines.items()}
        expect(theirs == ours, f"{name} is {theirs}, not {ours}")
    return f"{len(lines)} steps up to {max(lines)}, {len(names)} scalars"


if __name__ == "__main__":
    students = sorted(path for path in pathlib.Path(sys.argv[1]).iterdir() if path.is_dir())
    expect(students, f"no student in {sys.argv[1]}")
    run({f"TensorBoard reads {student.name}": lambda student=student: same_numbers(student) for student in students})
