"""How long to wait before a function is tried again."""

import hashlib

_LONGEST_S = 300.0


def delay_s(failures: int, backoff_s: float, seed: str) -> float:
    """Seconds until the next try: doubled with every failure, and spread so that many do not come at once.

    Args:
        failures: how often it has failed, 1 or more.
        backoff_s: the mean wait after the first failure; 0 for none.
        seed: what the spread is drawn from: the same seed and count give the same wait.

    Returns:
        From half to one and a half times ``backoff_s * 2 ** (failures - 1)``, five minutes at most.
    """
    digest = hashlib.sha256(f"{seed}:{failures}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return min(_LONGEST_S, backoff_s * 2.0 ** min(failures - 1, 32) * (0.5 + share))
