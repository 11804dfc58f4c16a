"""GPUs and CUDA are found from files."""

from __future__ import annotations

from zen_core.environment.devices import find_cuda, find_gpus


def test_a_machine_with_gpus(tmp_path) -> None:
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05\nGCC version: 12\n")
    for bus in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "gpus" / bus).mkdir(parents=True)
        (tmp_path / "gpus" / bus / "information").write_text("Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ: 1\n")
    assert find_gpus(tmp_path) == {
        "driver": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05",
        "models": ["NVIDIA A100-SXM4-40GB", "NVIDIA A100-SXM4-40GB"],
    }
    (tmp_path / "version.json").write_text('{"cuda": {"name": "CUDA SDK", "version": "12.4.1"}}')
    assert find_cuda(tmp_path) == "12.4.1"


def test_a_machine_without(tmp_path) -> None:
    assert find_gpus(tmp_path) == {}
    assert find_cuda(tmp_path) is None
    (tmp_path / "version").write_bytes(b"")
    (tmp_path / "version.json").write_text("[]")
    assert find_gpus(tmp_path) == {}
    assert find_cuda(tmp_path) is None
