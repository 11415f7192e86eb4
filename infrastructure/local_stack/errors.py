class LocalStackError(Exception):
    """The local servers cannot do what was asked; the message says what is wrong and what to do about it."""


class ServerDiedError(LocalStackError):
    """The process ended before it answered."""
