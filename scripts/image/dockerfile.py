"""Replays the stages of docker/Dockerfile in folders, with chroot."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

# How this machine reaches the registries counts for the replay, too.
OUTSIDE = ["http_proxy", "https_proxy", "no_proxy", "pip_index_url"]


def run(*words, **options):
    return subprocess.run([str(word) for word in words], check=True, **options)


def instructions():
    """Each instruction and what follows it, continued lines joined."""
    text = (REPOSITORY / "docker/Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [line.split(None, 1) for line in joined.splitlines() if line.strip()]


class Replay:
    """Makes each stage from a copy of `base`; the stage `build` is replaced by `binary`."""

    def __init__(self, base, work, binary):
        self.base, self.work = base, work
        self.stages = {"build": work / "build"}
        (work / "build/out").mkdir(parents=True)
        shutil.copy(binary, work / "build/out/saas-ia")
        self.stage, self.env, self.words = None, {}, {}

    def image(self):
        """The folder of the last stage, its environment, and its other instructions."""
        for word, rest in instructions():
            if word == "FROM":
                self.begin(rest.split(" AS ")[1] if " AS " in rest else "image")
            elif self.stage in (None, "build") or word in ("ARG", "LABEL"):
                pass
            elif word == "RUN":
                self.execute(rest)
            elif word == "COPY":
                self.copy(shlex.split(rest))
            elif word == "ENV":
                self.env.update(pair.split("=", 1) for pair in shlex.split(rest))
            else:
                self.words[word] = rest
        return self.stages[self.stage], self.env, self.words

    def begin(self, name):
        print(f"stage {name}", flush=True)
        self.stage, self.words = name, {}
        self.env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        if name == "build":
            return
        self.stages[name] = root = self.work / name
        run("cp", "--archive", "--reflink=auto", self.base, root)
        for file in ("resolv.conf", "hosts"):
            shutil.copy(f"/etc/{file}", root / "etc" / file)

    def execute(self, command):
        print(f"  RUN {command[:100]}", flush=True)
        env = {name: value for name, value in os.environ.items() if name.lower() in OUTSIDE}
        env |= self.env | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        certificates = self.stages[self.stage] / "run/certificates.pem"
        if "PIP_CERT" in os.environ:
            shutil.copy(os.environ["PIP_CERT"], certificates)
            env["PIP_CERT"] = "/run/certificates.pem"
        root = self.stages[self.stage]
        run("chroot", root, "/bin/sh", "-ec", command, env=env, stdout=subprocess.DEVNULL)
        certificates.unlink(missing_ok=True)

    def copy(self, words):
        print(f"  COPY {' '.join(words)}", flush=True)
        source = REPOSITORY
        if words[0].startswith("--from="):
            source = self.stages[words.pop(0).removeprefix("--from=")]
        *names, target = words
        into = self.stages[self.stage] / target.lstrip("/")
        for name in names:
            found = source / name.lstrip("/")
            to = into / found.name if target.endswith("/") else into
            to.parent.mkdir(parents=True, exist_ok=True)
            run("cp", "--archive", "--no-target-directory", found, to)
            run("chown", "--recursive", "--no-dereference", "0:0", to)
