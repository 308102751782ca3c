"""Runs programs in a folder as Docker would in a container of compose.yaml: a root that cannot be
written to, a /tmp in memory, /data, processes and mounts of their own, and no rights."""

import os
import shlex
import signal
import subprocess
from pathlib import Path

# In namespaces of its own, so that nothing is left mounted whatever happens.
SETUP = r"""
mount --bind {root} {root}
mount -o remount,bind,ro {root}
mount -t proc proc {root}/proc
mount -t tmpfs -o size=64m,mode=1777,noexec,nosuid,nodev tmpfs {root}/tmp
mount --rbind /dev {root}/dev
mount --bind {data} {root}/data
exec chroot {root} setpriv --reuid {uid} --regid {uid} --clear-groups --bounding-set=-all \
    --no-new-privs {command}
"""


class Container:
    """The folder of an image, its data, its environment, and who runs in it."""

    def __init__(self, root, data, env, uid):
        self.root, self.data, self.env, self.uid = root, data, env, uid

    def start(self, *words, env=None, **options):
        """Starts a program, as process 1 of its own."""
        script = SETUP.format(
            root=shlex.quote(str(self.root)),
            data=shlex.quote(str(self.data)),
            uid=self.uid,
            command=shlex.join(words),
        )
        options = {"stdin": subprocess.DEVNULL, "text": True} | options
        return subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", script],
            env=self.env | (env or {}),
            **options,
        )

    def run(self, *words, env=None, seconds=60):
        """Runs a program to its end; its exit code, and all that it said."""
        # An input that does not end: for a supervisor its end means that the service is gone.
        silent, held = os.pipe()
        outputs = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        program = self.start(*words, env=env, stdin=silent, **outputs)
        os.close(silent)
        try:
            said, _ = program.communicate(timeout=seconds)
        finally:
            program.kill()
            os.close(held)
        return program.returncode, said


def terminate(program):
    """Does to process 1 of a container what `docker stop` does first."""
    children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)
