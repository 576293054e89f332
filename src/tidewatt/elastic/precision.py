"""Computing in bfloat16 where the machine does it in hardware."""

# pyright: reportUnknownMemberType=false
# torch's own types are partial.

from pathlib import Path

import torch

_CPUINFO = Path("/proc/cpuinfo")
_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""As Linux names the instructions, on x86 the first two, on Arm the last."""


def has_bf16(cpuinfo: str) -> bool:
    """Whether Linux's description of the processors names instructions for bfloat16."""
    fields = (line.partition(":") for line in cpuinfo.splitlines())
    flags = (value.split() for name, _, value in fields if name.strip() in {"flags", "Features"})
    return any(_FLAGS & set(each) for each in flags)


def in_hardware(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself; where it is emulated it costs time and saves none."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return _CPUINFO.exists() and has_bf16(_CPUINFO.read_text())
