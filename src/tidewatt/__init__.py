"""Tidewatt: serverless AI training that follows the clean tide of power."""

from tidewatt.domain.budget import Budget
from tidewatt.runtime.context import EarlyStopping, Run
from tidewatt.sdk.causes import cron, files
from tidewatt.sdk.environments import Env
from tidewatt.sdk.functions import function, training
from tidewatt.sdk.ways import Call

__all__ = ["Budget", "Call", "EarlyStopping", "Env", "Run", "cron", "files", "function", "training"]
