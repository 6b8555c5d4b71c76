"""Programs that the tests need and pip does not have, from Debian's packages."""

import os
import shutil
import subprocess
import time


def install(package: str, *, within: float) -> str | None:
    """Install a package; return why not where that cannot be. within: seconds that it may take."""
    apt = shutil.which("apt-get")
    if apt is None:
        return "it is not installed and there is no apt-get"
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if as_root and shutil.which("sudo") is None:
        return "it is not installed and only root may install it"
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    deadline = time.monotonic() + within
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", package]):
        left = max(1.0, deadline - time.monotonic())
        try:
            done = subprocess.run(
                [*as_root, apt, *command], env=quiet, capture_output=True, text=True, timeout=left, check=False
            )
        except subprocess.TimeoutExpired:
            return f"apt-get {command[0]} took longer than {within:g} seconds"
        if done.returncode:
            return f"apt-get {command[0]} failed: {done.stderr.strip()[-200:]}"
    return None
