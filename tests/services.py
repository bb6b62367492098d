"""Real services for tests, started without root or Docker: OpenStack Swift with its S3 interface, from wheels.

`python -m tests.services pytest -m s3` starts the server, sets AWS_* and XLMR_TEST_S3, runs the command, stops it.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".tools" / "swift"
SWIFT = ("swift==2.38.3", "setuptools<81")
KEY, SECRET, BUCKET = "xlmr:xlmr", "xlmrsecret", "xlmr-test"
FILTERS = ("catch_errors", "gatekeeper", "healthcheck", "proxy-logging", "cache", "listing_formats", "bulk", "s3api",
           "tempauth", "slo", "dlo", "versioned_writes", "symlink", "copy")  # fmt: skip


def install() -> None:
    if (VENV / ".made").exists():
        return
    print("[services] installing OpenStack Swift into .tools/swift", file=sys.stderr)
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *SWIFT], check=True)
    (VENV / ".made").touch()


def program(name: str) -> list[str]:
    """Through the environment's Python: the path in the script's first line is wrong once the folder was moved."""
    return [str(VENV / "bin" / "python"), str(VENV / "bin" / name)]


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def write_rings_and_settings(folder: Path, ports: dict[str, int], address: str) -> None:
    (folder / "srv" / "d1").mkdir(parents=True)
    (folder / "run").mkdir()
    etc = folder / "etc"
    etc.mkdir()
    hash_lines = "[swift-hash]\nswift_hash_path_suffix = x\nswift_hash_path_prefix = y\n"
    policy = "[storage-policy:0]\nname = gold\ndefault = yes\n[swift-constraints]\nmax_header_size = 16384\n"
    (etc / "swift.conf").write_text(hash_lines + policy)
    shared = f"swift_dir = {etc}\nbind_ip = 127.0.0.1\nworkers = 1\nuser = {getpass.getuser()}\nlog_level = WARNING\n"
    for server in ("object", "container", "account"):
        builder = [*program("swift-ring-builder"), f"{server}.builder"]
        for step in (["create", "6", "1", "1"], ["add", f"r1z1-127.0.0.1:{ports[server]}/d1", "1"], ["rebalance"]):
            subprocess.run([*builder, *step], cwd=etc, stdout=subprocess.DEVNULL, check=False)
        (etc / f"{server}.conf").write_text(
            f"[DEFAULT]\n{shared}bind_port = {ports[server]}\ndevices = {folder / 'srv'}\nmount_check = false\n"
            f"recon_cache_path = {folder / 'run'}\n[pipeline:main]\npipeline = {server}-server\n"
            f"[app:{server}-server]\nuse = egg:swift#{server}\n"
        )
    (etc / "proxy.conf").write_text(
        f"[DEFAULT]\n{shared.replace('127.0.0.1', address)}bind_port = {ports['proxy']}\n"
        f"[pipeline:main]\npipeline = {' '.join(FILTERS)} proxy-logging proxy-server\n"
        "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
        + "".join(f"[filter:{name}]\n{filter_lines(name)}" for name in FILTERS)
    )


def filter_lines(name: str) -> str:
    lines = f"use = egg:swift#{'memcache' if name == 'cache' else name.replace('-', '_')}\n"
    if name == "tempauth":
        lines += f"user_xlmr_xlmr = {SECRET} .admin\n"
    if name == "s3api":
        lines += "s3_acl = false\nlocation = us-east-1\n"
    if name == "versioned_writes":
        lines += "allow_versioned_writes = true\nallow_object_versioning = true\n"
    return lines


def start(folder: Path, address: str = "127.0.0.1") -> tuple[list[subprocess.Popen[bytes]], str]:
    """The four servers and the endpoint at that address.  Raises RuntimeError with the proxy's log."""
    ports = dict(zip(("object", "container", "account", "proxy"), free_ports(4), strict=True))
    write_rings_and_settings(folder, ports, address)
    servers = []
    for server in ports:
        with (folder / f"{server}.log").open("wb") as out:
            command = [*program(f"swift-{server}-server"), str(folder / "etc" / f"{server}.conf")]
            environment = {**os.environ, "SWIFT_DIR": str(folder / "etc")}
            servers.append(subprocess.Popen(command, env=environment, stdout=out, stderr=out))
    endpoint = f"http://{address}:{ports['proxy']}"
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{endpoint}/healthcheck", timeout=2).close()
            return servers, endpoint
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError("Swift did not start: " + (folder / "proxy.log").read_text()[-1500:])


def main() -> int:
    install()
    with tempfile.TemporaryDirectory(prefix="xlmr-swift-") as name:
        servers, endpoint = start(Path(name))
        settings = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ENDPOINT_URL": endpoint,
                    "AWS_DEFAULT_REGION": "us-east-1", "XLMR_TEST_S3": f"s3://{BUCKET}"}  # fmt: skip
        os.environ.update(settings)
        try:
            import boto3

            boto3.client("s3").create_bucket(Bucket=BUCKET)
            print(f"[services] S3 at {endpoint}", file=sys.stderr)
            return subprocess.run([sys.executable, "-m", *sys.argv[1:]], check=False).returncode
        finally:
            for server in servers:
                server.terminate()
            for server in servers:
                server.wait()


if __name__ == "__main__":
    sys.exit(main())
