#!/usr/bin/env python3
"""Builds the image of docker/Dockerfile in folders, and uses it, where there is no Docker.

    scripts/image/check.py target/release/saas-ia

Needs root, Debian with debootstrap, 2 GB below TMPDIR, and a binary that was built before: the
stage `build` is not replayed. For running by hand; it takes minutes. It cannot show what Docker
itself does: layers, caches, networks, limits.
"""

import argparse
import json
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from container import Container, terminate
from dockerfile import REPOSITORY, Replay, run

MIRROR = "http://deb.debian.org"
SOURCES = "".join(
    f"deb {MIRROR}/{folder} {suite} main\n"
    for folder, suite in [
        ("debian", "trixie"),
        ("debian", "trixie-updates"),
        ("debian-security", "trixie-security"),
    ]
)
LIMITS = (
    "--cpu-seconds 900 --memory-bytes 1073741824 --address-bytes 137438953472 --file-bytes "
    "1073741824 --open-files 256 --processes 32 --resident-bytes 1610612736"
).split()
ENTRYPOINT = ["/usr/bin/tini", "--", "saas-ia"]


def expect(what, holds, said=""):
    print(f"{'ok' if holds else 'FAILED'}: {what}", flush=True)
    if not holds:
        sys.exit(f"{said}\n{what}: it is not so")


def pinned():
    tools = (REPOSITORY / "scripts/test-tools.sh").read_text()
    return re.search(r"^YTDLP_VERSION=(.+)$", tools, re.MULTILINE)[1]


def check_programs(container):
    python = container.run("python3", "-c", "import sqlite3, ssl, sys; print(sys.version_info[:2])")
    expect(f"Python has what yt-dlp uses: {python[1].strip()}", python[0] == 0, python[1])
    code, said = container.run(container.env["YTDLP_PATH"], "--ignore-config", "--version")
    expect(f"yt-dlp is the pinned one, {said.strip()}", (code, said.strip()) == (0, pinned()), said)
    for name in ("ffmpeg", "ffprobe"):
        code, said = container.run(name, "-version")
        expect(said.splitlines()[0][:40], code == 0, said)
    # Without an address it only tells what it found, and that it wants one.
    arguments = ["--ignore-config", "--no-plugin-dirs", "--no-cache-dir", "--verbose"]
    _, said = container.run(container.env["YTDLP_PATH"], *arguments)
    for found in (r"JS runtimes: (deno-\S+)", r"(yt_dlp_ejs-\S+)", r"exe versions: (ffmpeg \S+)"):
        seen = re.search(found, said)
        expect(f"yt-dlp finds {seen and seen[1]}", seen, said)
    deno = f"{Path(container.env['YTDLP_PATH']).parent}/deno"
    words = ["confined", *LIMITS, "--", deno, "eval", "console.log(6 * 7, Deno.version.v8)"]
    code, said = container.run(*ENTRYPOINT, *words, env={"HOME": "/tmp"})
    expect(f"Deno runs below the supervisor: {said.strip()}", (code, said[:2]) == (0, "42"), said)


def check_bounds(container):
    for path in ("/x", "/usr/local/bin/x", "/opt/yt-dlp/x", "/etc/x"):
        code, _ = container.run("touch", path)
        expect(f"{path} cannot be written", code != 0)
    for path in ("/data/x", "/data/uploads/x", "/tmp/x"):
        code, said = container.run("sh", "-c", f"touch {path} && rm {path}")
        expect(f"{path} can be written", code == 0, said)
    code, said = container.run(*ENTRYPOINT, "serve", env={"ENGINE": "mock"})
    refused = code == 2 and "SECRET_KEY" in said
    expect("a start without a secret is refused with code 2", refused, f"{code}\n{said}")


def check_service(container):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # On the loopback of this machine alone: the network is not the container's own here.
    env = {"ENGINE": "mock", "SECRET_KEY": secrets.token_hex(32), "HOST": "127.0.0.1"}
    env["PORT"] = str(port)
    with tempfile.NamedTemporaryFile("w") as log:
        told = Path(log.name)
        service = container.start(*ENTRYPOINT, "serve", env=env, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while (answer := container.run("saas-ia", "health", env=env))[0] != 0:
                if service.poll() is not None or time.monotonic() > deadline:
                    expect("it starts", False, f"{told.read_text()}\n{answer}")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5) as answer:
                ready = json.load(answer)
            expect(f"`saas-ia health` says that it is ready: {ready}", True)
            expect("it fetches with the pinned yt-dlp", pinned() in json.dumps(ready), ready)
            terminate(service)
            code = service.wait(timeout=40)
        finally:
            service.kill()
        expect("SIGTERM ends it with code 0", code == 0, told.read_text())
    code, _ = container.run("saas-ia", "health", env=env)
    expect("`saas-ia health` says 1 when it is gone", code == 1)
    made = [path for path in container.data.rglob("*") if path.stat().st_uid == container.uid]
    expect(f"what it keeps is in its folder: {sorted(p.name for p in made)}", made)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("--base", type=Path, help="a folder that debootstrap has made before")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="saas-ia-image-"))
    try:
        base = work / "base"
        if options.base:
            run("cp", "--archive", "--reflink=auto", options.base, base)
        else:
            run("debootstrap", "--variant=minbase", "trixie", base, f"{MIRROR}/debian",
                stdout=subprocess.DEVNULL)
        (base / "etc/apt/sources.list").write_text(SOURCES)
        root, env, words = Replay(base, work, options.binary.resolve()).image()
        expect("the entry point is the one that is used here",
               json.loads(words["ENTRYPOINT"]) == ENTRYPOINT, words)
        uid = int(words["USER"].split(":")[0])
        data = work / "data"
        run("cp", "--archive", root / "data", data)
        size = run("du", "--summarize", "--block-size=M", root, capture_output=True, text=True)
        print(f"the image takes {size.stdout.split()[0]}")
        container = Container(root, data, env, uid)
        check_programs(container)
        check_bounds(container)
        check_service(container)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
