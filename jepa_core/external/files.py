"""Networks from files that hold architecture and weights: `torchscript:FILE` and `onnx:FILE`."""

import mmap
import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jepa_core.device import best_device
from jepa_core.external.network import Network, torch_network
from jepa_core.external.settings import EncoderError
from jepa_core.fingerprint import file_digest

_EXTERNAL = re.compile(rb"\x0a\x08location\x12([\x80-\xff]?[\x00-\x7f])", re.DOTALL)
"""Where an ONNX file names a file of weights: the entry `location` of a tensor, and the length of its value."""


def open_torchscript(path: Path) -> Network:
    """A scripted or traced module: float32 (batch, bands, y, x) to features.

    Raises:
        EncoderError: no such file, or no TorchScript in it.
    """
    _check_file(path)
    try:
        # That TorchScript is deprecated is for those who write the files, not for those who have one.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            module = torch.jit.load(str(path), map_location=best_device())  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise EncoderError(f"{path} is no TorchScript: {str(error).splitlines()[0]}") from error
    return torch_network(module, f"torchscript {file_digest(path)}")


def open_onnx(path: Path) -> Network:
    """An ONNX graph of one input and one or more outputs, of which the first is taken; computes on the CPU.

    Raises:
        EncoderError: no such file, no ONNX in it, an input of another kind, or onnxruntime is not installed.
    """
    _check_file(path)
    try:
        import onnxruntime
    except ImportError as error:
        raise EncoderError(f"onnx:{path} needs onnxruntime: pip install 'jepa-search[onnx]'") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    # onnxruntime's errors have no base of their own.
    except Exception as error:
        raise EncoderError(f"{path} is no ONNX that onnxruntime can run: {str(error).splitlines()[0]}") from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
        got = "; ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
        raise EncoderError(f"{path} takes {got}; one float32 input (batch, bands, y, x) is needed")
    name, output = inputs[0].name, session.get_outputs()[0].name

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(session.run([output], {name: images})[0])

    batch, _, y, x = (_fixed(size) for size in inputs[0].shape)
    if y != x:
        raise EncoderError(f"{path} takes images of {inputs[0].shape[2]} x {inputs[0].shape[3]}; squares are needed")
    return Network(run, _onnx_identity(path), None, side=y, batch=batch)


def _onnx_identity(path: Path) -> str:
    """Digests of the file and of all files of weights that it names; torch's exporter puts weights beside the graph.

    The package `onnx`, which would list them, is not needed to run a graph. Its format writes each name behind the
    same bytes, which are looked for. Were weights to hold these bytes by chance, no file would lie at what follows.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        names = {_named(content, match) for match in _EXTERNAL.finditer(content)}
    weights = sorted(name for name in names if (path.parent / name).is_file())
    return " ".join([f"onnx {file_digest(path)}", *(f"{name} {file_digest(path.parent / name)}" for name in weights)])


def _named(content: mmap.mmap, match: re.Match[bytes]) -> str:
    """The text behind a match, whose length is given in 7 bits a byte, the lowest first."""
    length = sum((byte & 0x7F) << (7 * i) for i, byte in enumerate(match[1]))
    return os.fsdecode(content[match.end() : match.end() + length])


def _fixed(size: Any) -> int | None:
    """A size that the graph fixes; names stand for free ones."""
    return size if isinstance(size, int) else None


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise EncoderError(f"there is no file {path}")
