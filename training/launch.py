"""torchrun with the workers' exit status: `python -m training.launch TORCHRUN-OPTIONS -m training pretrain ...`.

torchrun itself ends with 1 whatever its workers say.  Here 2 stays 2 (asking again gives the same answer); a lost
worker, a lost node or a stop from outside is 75 (the same command goes on from the last checkpoint).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib import import_module

from torch.distributed import DistError
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import RendezvousError

from training.errors import EXIT_DONE, EXIT_TRY_AGAIN, EXIT_WRONG

log = logging.getLogger(__name__)


def launch(arguments: Sequence[str]) -> int:
    """Run torchrun with these arguments in this process; the exit status."""
    torchrun = import_module("torch.distributed.run")  # the package has a function of that name
    try:
        torchrun.run(torchrun.parse_args(list(arguments)))
    except ChildFailedError as error:
        return _status_of_workers(error)
    except SignalException as error:
        log.warning("training: asked to stop by %s; run it again to go on", error.sigval.name)
        return EXIT_TRY_AGAIN
    except (RendezvousError, DistError, ConnectionError) as error:
        log.warning("training: lost the other nodes: %s", error)
        return EXIT_TRY_AGAIN
    return EXIT_DONE


def _status_of_workers(error: ChildFailedError) -> int:
    """2 where one worker says that the run is wrong; a fault of the program is 1; else 75."""
    codes = {failure.exitcode for failure in error.failures.values()}
    if EXIT_WRONG in codes:
        return EXIT_WRONG
    return 1 if 1 in codes else EXIT_TRY_AGAIN


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    sys.exit(launch(sys.argv[1:]))
