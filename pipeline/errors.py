"""The tree of what can go wrong: ask again later (transient), or asking again gives the same answer (permanent)."""

from __future__ import annotations

EXIT_DONE = 0
EXIT_WRONG = 2
EXIT_FAULT = 70  # sysexits.h: EX_SOFTWARE
EXIT_TRY_AGAIN = 75  # sysexits.h: EX_TEMPFAIL


class FactoryError(Exception):
    """Anything that a stage, the store or the command line says in one line."""

    exit_status = EXIT_WRONG


class PermanentError(FactoryError):
    """The same call gives the same answer: no retry."""


class TransientError(FactoryError):
    """The same call may work later: retry."""

    exit_status = EXIT_TRY_AGAIN


class MissingArtifact(PermanentError):
    """A manifest or artifact that was asked for is not in the store."""


class CorruptArtifact(PermanentError):
    """An artifact's size or digest is not what its manifest says, or a manifest is not readable."""


class BadConfig(PermanentError):
    """A setting is outside its bounds, unknown or contradicts another."""


class EmptyOutput(PermanentError):
    """Something went in and nothing came out."""


class UnbalancedCounts(PermanentError):
    """documents_in is not documents_kept plus what was dropped: a stage lost documents without saying why."""


class BadInput(PermanentError):
    """What came in from outside is not what was announced (digest, format)."""


class StoreRefused(PermanentError):
    """The store is there and says no: access, a read-only disk, or no conditional writes."""


class ProgramFault(PermanentError):
    """A fault of the program in a child process; its traceback is in the log."""

    exit_status = EXIT_FAULT


class StoreUnavailable(TransientError):
    """The object store cannot be reached, throttles, or is full."""


class SourceUnavailable(TransientError):
    """The crawl's server cannot be reached or throttles."""


class WorkerLost(TransientError):
    """A process that does the work was stopped from outside."""


class TakenOver(TransientError):
    """Another attempt owns the unit's state now: this one stopped."""


class HeldElsewhere(TransientError):
    """Another attempt has owned the unit's state for longer than this one waits."""
