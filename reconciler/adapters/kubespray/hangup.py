"""A script put before ansible-playbook, so that a killed reconciler leaves no playbook behind.

ansible-runner gives its child a terminal of its own and makes it deaf to SIGHUP. With hearing restored, the kernel ends
the playbook and its workers when we die, since the terminal dies with us. The lock is inherited by all of them: it is
free when the last one is gone, and it says which process group to end if one of them is not.

Usage: hangup.py LOCK PROGRAM [ARGUMENT ...]
"""

import fcntl
import os
import signal
import sys


def main() -> None:
    lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpgrp()).encode())
    os.set_inheritable(lock, True)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - this is a shell's `exec`, without a shell


if __name__ == "__main__":
    main()
