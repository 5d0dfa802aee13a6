#!/usr/bin/env bash
# ONNX Runtime gives an activation of one number other bits alone than in a batch.
#
# Mish, Softplus, Log, Elu and Selu are vectorised over the batch, and the elements left over go another way. A
# sample served alone and the same sample in a batch differ; tests that compare a batch with its rows, bit by bit,
# fail.
#
# Seen with onnx 1.23.2, onnxruntime 1.31.1.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.31.1 numpy
env/bin/python - <<'PYTHON'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

x = np.linspace(-20, 20, 4096, dtype=np.float32)
found = {}
for name in ("Mish", "Softplus", "Elu", "Selu", "Tanh", "Relu"):
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, ["n"]) for end in "xy"]
    graph = helper.make_graph([helper.make_node(name, ["x"], ["y"])], "one", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    whole = session.run(None, {"x": x})[0]
    alone = np.concatenate([session.run(None, {"x": x[i : i + 1]})[0] for i in range(len(x))])
    found[name] = int((whole != alone).sum())
print("numbers of 4096 that differ:", found)
assert found["Relu"] == 0
assert all(found[name] > 0 for name in ("Mish", "Softplus", "Elu", "Selu"))
PYTHON
