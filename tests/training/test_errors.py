"""Which exit status an error has, on the process where it happened and on the others."""

from __future__ import annotations

import errno
import os

import pytest

from training.distributed import _Report
from training.errors import EXIT_FAULT, EXIT_TRY_AGAIN, EXIT_WRONG, NotFinite, exit_status

STATUSES = [
    (ValueError("a wrong setting"), EXIT_WRONG),
    (NotFinite("update 3"), EXIT_WRONG),
    (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), EXIT_TRY_AGAIN),
    (OSError(errno.EIO, os.strerror(errno.EIO)), EXIT_TRY_AGAIN),
    (PermissionError(errno.EACCES, os.strerror(errno.EACCES)), EXIT_WRONG),
    (OSError(errno.EROFS, os.strerror(errno.EROFS)), EXIT_WRONG),
    (NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)), EXIT_WRONG),
]


@pytest.mark.parametrize(("error", "status"), STATUSES)
def test_an_error_that_the_same_command_meets_again_is_no_reason_to_try_again(error: Exception, status: int) -> None:
    assert exit_status(error) == status


@pytest.mark.parametrize(("error", "status"), [*STATUSES, (AssertionError("a fault"), EXIT_FAULT)])
def test_the_other_processes_end_with_the_same_status(error: Exception, status: int) -> None:
    assert exit_status(_Report.of(error, "process 0 of 2").error()) == status
