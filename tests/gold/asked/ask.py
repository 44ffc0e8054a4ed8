"""Answer the middle of every clip, a line for each line of standard input."""

import json
import sys

for line in sys.stdin:
    request = json.loads(line)
    # here a model looks at the pictures, whose paths are request["frames"], with the words request["prompt"]
    segment = {"start_frame": 30, "end_frame": 95}
    said = {"dominant_operation": "Pack", "temporal_segment": segment, "next_operation": "Tape"}
    print(json.dumps({"id": request["id"], "text": json.dumps(said)}))
