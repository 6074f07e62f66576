"""Files of small networks, whose features are known without running them."""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn


class BandMeans(nn.Module):
    """Features are the means of the bands times a matrix."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, images):
        return images.mean(dim=(2, 3)) @ self.weight


class Tokens(BandMeans):
    """A token a row of the image."""

    def forward(self, images):
        return images.mean(dim=3).transpose(1, 2) @ self.weight


def matrix(bands, dimension=5, seed=0):
    return np.random.default_rng(seed).normal(size=(bands, dimension)).astype("float32")


def write_torchscript(path, weight, kind=BandMeans):
    torch.jit.script(kind(weight)).save(str(path))
    return path


def write_onnx(path, weight, shape=("batch", None, "y", "x"), dtype=TensorProto.FLOAT, beside=None):
    """Band means times a matrix, as an ONNX graph; `beside` names a file for the matrix."""
    bands, dimension = weight.shape
    nodes = [
        helper.make_node("Cast", ["images"], ["single"], to=TensorProto.FLOAT),
        helper.make_node("GlobalAveragePool", ["single"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["features"]),
    ]
    graph = helper.make_graph(
        nodes,
        "band means",
        [helper.make_tensor_value_info("images", dtype, [bands if size is None else size for size in shape])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [shape[0], dimension])],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path), save_as_external_data=beside is not None, location=beside, size_threshold=0)
    return path
