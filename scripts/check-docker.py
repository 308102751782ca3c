"""Holds docker/ to what is said elsewhere, and to what its own files say of each other.

    check-docker.py COMPOSE DEV BINARY

The first two are what `docker compose config --format json` prints of the files.
"""

import ipaddress
import json
import re
import subprocess
import sys
from pathlib import Path

DOCKERFILE = Path("docker/Dockerfile").read_text()
HAPROXY = Path("docker/haproxy.cfg").read_text()
OURS = ("migrate", "api", "worker")
PORTS = {"proxy": ("8004", 8004), "postgres": ("5435", 5432), "redis": ("6382", 6379)}

faults = []


def expect(what, holds):
    if not holds:
        faults.append(what)


def find(pattern, text):
    found = re.search(pattern, text, re.MULTILINE)
    return found and found[1]


def names_of_settings():
    source = Path("crates/server/src/settings/mod.rs").read_text()
    lists = re.findall(r"^const (?:NAMES|UNUSED): .*?;$", source, re.MULTILINE | re.DOTALL)
    names = set(re.findall(r'"([A-Z_]+)"', "".join(lists)))
    expect("the settings are found in settings/mod.rs", {"SECRET_KEY", "DATABASE_URL"} <= names)
    return names


def check_what_is_published(compose, dev):
    for services in (compose, dev):
        for name, service in services.items():
            ports = [(p["host_ip"], p["published"], p["target"]) for p in service.get("ports", [])]
            wanted = [("127.0.0.1", *PORTS[name])] if name in PORTS else []
            expect(f"{name} publishes {wanted}, not {ports}", ports == wanted)
    for name, image in (("postgres", "postgres:16"), ("redis", "redis:7")):
        images = {services[name]["image"] for services in (compose, dev)}
        expect(f"{images} is one {image}", len(images) == 1 and min(images).startswith(image))


def check_bounds(compose):
    for name, service in compose.items():
        limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
        expect(f"{name} has limits of resources", {"cpus", "memory", "pids"} <= limits.keys())
        expect(f"{name} has a root that is read only", service.get("read_only") is True)
        expect(f"{name} has no capabilities", service.get("cap_drop") == ["ALL"])
        expect(f"{name} gets no new privileges", "no-new-privileges:true" in service["security_opt"])
        expect(f"{name} has a bounded log", "max-size" in service["logging"]["options"])
        restart = "no" if name == "migrate" else "unless-stopped"
        expect(f"{name} is restarted {restart}", service.get("restart") == restart)
        # That of the image asks the API.
        expect(f"{name} has a healthcheck", "healthcheck" in service or name == "api")
    for name in OURS:
        grace = compose[name]["stop_grace_period"]
        expect(f"{name} may take 40 s to stop, not {grace}", grace == "40s")


def check_order(compose):
    for name, needed, condition in (
        ("migrate", "postgres", "service_healthy"),
        ("api", "migrate", "service_completed_successfully"),
        ("worker", "migrate", "service_completed_successfully"),
        ("proxy", "api", "service_healthy"),
    ):
        said = compose[name]["depends_on"].get(needed, {}).get("condition")
        expect(f"{name} waits for {needed}: {condition}", said == condition)


def check_roles(compose, binary):
    for name, command in (
        ("migrate", ["migrate", "up"]),
        ("api", ["serve", "--no-worker"]),
        ("worker", ["worker"]),
    ):
        service = compose[name]
        expect(f"{name} runs {command}", service["command"] == command)
        if name != "migrate":
            expect(f"there are two of {name}", service["deploy"]["replicas"] == 2)
        health = service.get("healthcheck", {}).get("test", [])
        for words in (command, health[2:] if health[:2] == ["CMD", "saas-ia"] else []):
            ended = subprocess.run([binary, *words, "--help"], capture_output=True, check=False)
            expect(f"saas-ia knows `{' '.join(words)}`", ended.returncode == 0)


def check_settings(compose):
    known = names_of_settings()
    image = set(re.findall(r"^(?:ENV|   ) ([A-Z_]+)=", DOCKERFILE, re.MULTILINE))
    expect("the Dockerfile sets DATA_DIR", "DATA_DIR" in image)
    for name in OURS:
        unknown = compose[name]["environment"].keys() - known
        expect(f"{name} has only settings that there are, not {unknown}", not unknown)
    expect(f"the image has only settings that there are: {image - known}", image <= known)
    used = set(re.findall(r"\$\{([A-Z_]+)", Path("docker/compose.yaml").read_text()))
    offered = set(re.findall(r"^#?([A-Z_]+)=", Path("docker/make-env.sh").read_text(), re.MULTILINE))
    expect(f"docker/.env has only what is used: {offered - known - used}", offered <= known | used)


def check_storage(compose):
    data = compose["api"]["environment"]["DATA_DIR"]
    for name in ("api", "worker"):
        mounts = {mount["target"]: mount.get("source") for mount in compose[name]["volumes"]}
        expect(f"each {name} has a {data} of its own", mounts.get(data, "none") is None)
        expect(f"{name} has the common uploads", mounts.get(f"{data}/uploads") == "uploads")
        expect(f"{data} is all that {name} keeps", len(mounts) == 2)
    expect(f"{data} is in the image", f"/data {data}/uploads" in DOCKERFILE)


def check_proxy(compose, networks):
    address = compose["proxy"]["networks"]["front"]["ipv4_address"]
    pool = networks["front"]["ipam"]["config"][0]
    expect("the proxy is trusted", compose["api"]["environment"]["TRUSTED_PROXIES"] == address)
    inside = ipaddress.ip_address(address) in ipaddress.ip_network(pool["subnet"])
    others = ipaddress.ip_address(address) in ipaddress.ip_network(pool["ip_range"])
    expect("its address is in its network, and nobody else gets it", inside and not others)
    shared = compose["proxy"]["networks"].keys() & compose["postgres"]["networks"].keys()
    expect("the proxy does not reach the databases", not shared)
    port = compose["api"]["environment"]["PORT"]
    host, asked = re.search(r"server-template api \d+ (\w+):(\d+)", HAPROXY).groups()
    expect("the proxy looks for the APIs", (host, asked) == ("api", port))
    expect(f"the image exposes {port}", find(r"^EXPOSE (\d+)$", DOCKERFILE) == port)
    checks = 60 // int(find(r"check inter (\d+)s", HAPROXY))
    expect(f"{checks} checks a minute leave the budget `health` room", checks <= 90)


def check_versions():
    cargo = Path("Cargo.toml").read_text()
    rust, version = find(r'^rust-version = "(.+)"', cargo), find(r'^version = "(.+)"', cargo)
    image = find(r"^ARG RUST_IMAGE=rust:([\d.]+)", DOCKERFILE) or ""
    expect(f"the image is built with Rust {rust}", image.startswith(f"{rust}."))
    expect(f"the image is {version}", find(r"^ARG VERSION=(.+)$", DOCKERFILE) == version)
    wanted = find(r"^YTDLP_VERSION=(.+)$", Path("scripts/test-tools.sh").read_text())
    pins = Path("docker/yt-dlp.txt").read_text()
    pinned = find(r"^yt-dlp==(\S+)", pins)
    expect(f"docker/yt-dlp.txt has yt-dlp {wanted}, not {pinned}: docker/pin-yt-dlp.sh", wanted == pinned)
    for name in ("deno", "yt-dlp-ejs"):
        expect(f"docker/yt-dlp.txt has {name}", find(rf"^({name})==", pins))


def main():
    compose_file, dev_file, binary = sys.argv[1:]
    whole = json.loads(Path(compose_file).read_text())
    compose, dev = whole["services"], json.loads(Path(dev_file).read_text())["services"]
    check_what_is_published(compose, dev)
    check_bounds(compose)
    check_order(compose)
    check_roles(compose, binary)
    check_settings(compose)
    check_storage(compose)
    check_proxy(compose, whole["networks"])
    check_versions()
    for fault in faults:
        print(f"not so: {fault}", file=sys.stderr)
    if not faults:
        print("ok: what docker/ says is what is said elsewhere")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
