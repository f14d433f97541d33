"""What runs inside a function's own process: AWS's Lambda runtime client (awslambdaric) over the sources of a checkout.

The local AWS engine takes a function as a zip with a program called `bootstrap`, as AWS does for a custom runtime.
`package` makes such a zip: its program starts this module under the interpreter that runs the stack, so that functions
are the files of the checkout and the packages of the virtual environment, and nothing is built or copied.
"""

import io
import os
import shlex
import sys
import threading
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

# A custom runtime: the engine starts the package's own program.
RUNTIME = "provided.al2023"

# Names the variables that are the engine's own settings: its children inherit them, and no handler should see them.
ENGINE_SETTINGS = "ENGINE_SETTINGS"

_PARENT_CHECK_SECONDS = 0.5


def package(function_folder: Path, layer_folders: Sequence[Path]) -> bytes:
    """A zip with the one program `bootstrap`, which serves the handler in `function_folder`."""
    path = [str(folder.resolve()) for folder in (function_folder, *layer_folders)]
    command = shlex.join([sys.executable, "-u", "-P", "-m", __name__, *path])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")  # its fixed date makes equal sources equal packages
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, f"#!/bin/sh\nexec {command}\n")
    return buffer.getvalue()


def _end_with(parent: int) -> None:
    """End this process at once when the engine is gone: nobody waits for its answer any more."""
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_SECONDS)
    os._exit(1)


def main(folders: list[str]) -> None:
    """Serve `_HANDLER` from the folders for as long as the engine lives."""
    # The kernel's parent-death signal is no help: it goes by the parent's thread, and the engine's threads are short.
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    for name in os.environ.pop(ENGINE_SETTINGS, "").split(","):
        os.environ.pop(name, None)
    os.environ["LAMBDA_TASK_ROOT"] = folders[0]
    sys.path[:0] = folders
    os.chdir(folders[0])

    from awslambdaric.__main__ import main as serve  # type: ignore[import-untyped]

    serve(["awslambdaric", os.environ["_HANDLER"]])


if __name__ == "__main__":
    main(sys.argv[1:])
