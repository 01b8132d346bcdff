"""Become another program that ends when the parent does, however the parent ends.

    python -I -S leash.py PARENT UID GID SIGNAL PROGRAM [ARGUMENT...]

A program of its own rather than a ``preexec_fn``: forking a process that has threads to run Python
in the copy can hang. Linux keeps the promise. Elsewhere the parent's ``stop`` has to do.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def become(parent: int, uid: int, gid: int, signal: int, command: list[str]) -> None:
    if os.getuid() != uid:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":  # after setuid, which forgets it
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        sys.exit("the parent ended before its child began")
    os.execv(command[0], command)  # noqa: S606  no shell is the point


if __name__ == "__main__":
    parent, uid, gid, signal = (int(number) for number in sys.argv[1:5])
    become(parent, uid, gid, signal, sys.argv[5:])
