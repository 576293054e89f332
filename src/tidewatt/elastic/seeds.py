"""Random streams that depend on step and shard alone."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# torch's own types are partial.

import hashlib
import random

import numpy as np
import torch

_BITS_64 = 2**64
_BITS_32 = 2**32


def seed_everything(*path: int) -> None:
    """Seed torch, numpy and random from a sequence of numbers such as stage, step and shard."""
    digest = hashlib.blake2b(",".join(map(str, path)).encode(), digest_size=8).digest()
    seed = int.from_bytes(digest, "little") % _BITS_64
    if torch.version.cuda is not None:
        torch.manual_seed(seed)
    else:  # the same stream, without the third of a millisecond that telling absent accelerators takes
        torch.default_generator.manual_seed(seed)
    np.random.seed(seed % _BITS_32)  # noqa: NPY002 - the legacy stream is what users' code draws from
    random.seed(seed)
