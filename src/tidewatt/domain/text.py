"""Text that may come from anywhere, so that it can be written down anywhere."""


def printable(text: str) -> str:
    """The text in characters that every database and file takes, the others spelt out.

    These are zero bytes, and lone surrogates: a name of a file in other bytes than UTF-8 holds them.
    """
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
