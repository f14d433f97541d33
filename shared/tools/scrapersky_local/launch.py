"""Start a program that ends when its parent ends: `python -I -S launch.py PARENT SIGNAL UID GID PROGRAM ARGS...`.

A stack that is killed outright (`kill -9`) can stop nothing, so the kernel does it: the program asks for SIGNAL at
the death of PARENT (Linux' PR_SET_PDEATHSIG; elsewhere only an orderly stop ends it). The kernel forgets that wish when
the user changes, so root's rights are given up first. A separate script, because Python between fork and exec of a
process with threads may deadlock.

UID and GID are `-` to stay who we are.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become PROGRAM. Ends quietly when PARENT is gone already; raises OSError when PROGRAM can not be run."""
    parent, death_signal, uid, gid, *command = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if sys.platform == "linux" and libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() == int(parent):
        os.execv(command[0], command)  # noqa: S606  # a shell in between would be the one that gets the signal


if __name__ == "__main__":
    main(sys.argv[1:])
