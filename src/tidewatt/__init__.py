"""Tidewatt: serverless AI training that follows the clean tide of power."""
