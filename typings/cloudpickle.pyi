# The two functions of cloudpickle that we use; the package ships no types.

from typing import Any

def dumps(obj: object) -> bytes: ...
def loads(data: bytes) -> Any: ...  # noqa: ANN401 - a pickle holds anything
