from collections.abc import Iterator
from contextlib import contextmanager


class LocalStackError(Exception):
    """The local servers cannot do what was asked; the message says what is wrong and what to do about it."""


class ServerDiedError(LocalStackError):
    """The process ended before it answered."""


@contextmanager
def files_translated() -> Iterator[None]:
    """Raise LocalStackError where files or folders cannot be used."""
    try:
        yield
    except OSError as error:
        raise LocalStackError(
            f"{error.filename or 'the local stack'}: {error.strerror or error}. "
            "Look at the rights and the space there, or choose another folder."
        ) from error
