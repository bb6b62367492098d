"""What ends a run, and with which exit status: 75 may work when tried again, 2 gives the same answer again."""

from __future__ import annotations

import errno

EXIT_DONE = 0
EXIT_FAULT = 1  # Python's own status of an exception that nothing handles
EXIT_WRONG = 2
EXIT_TRY_AGAIN = 75  # sysexits.h: EX_TEMPFAIL

# A folder that says no, or a name that is something else, does so again; a full disk or a lost one may come back.
LASTING = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG}


class Stopped(Exception):
    """The run was asked to stop; its checkpoint is written."""


class NotFinite(ValueError):
    """A loss, a gradient or a weight is not a finite number: it is not used and not written."""


class OtherProcessFailed(Exception):
    """Another process of the run ended it; the text is that process's own."""

    def __init__(self, text: str, exit_status: int) -> None:
        super().__init__(text)
        self.exit_status = exit_status


def exit_status(error: BaseException) -> int | None:
    """The status of a foreseen error; None for a fault of the program, which deserves its traceback.

    RuntimeErrors of lost connections are foreseen too, but only the process group can tell them (distributed.py).
    """
    if isinstance(error, OtherProcessFailed):
        return error.exit_status
    if isinstance(error, OSError) and error.errno in LASTING:
        return EXIT_WRONG
    if isinstance(error, Stopped | OSError):
        return EXIT_TRY_AGAIN
    return EXIT_WRONG if isinstance(error, ValueError) else None
