"""Tidewatt: serverless AI training that follows the clean tide of power."""

from tidewatt.domain.budget import Budget
from tidewatt.runtime.context import EarlyStopping, Run
from tidewatt.sdk.causes import cron, files
from tidewatt.sdk.functions import Call, function, training

__all__ = ["Budget", "Call", "EarlyStopping", "Run", "cron", "files", "function", "training"]
