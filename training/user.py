import getpass
import os


def user() -> str:
    """Return who runs the command, for the ledger and the audit log: RECSYS_USER, or the name the machine knows."""
    return os.environ.get("RECSYS_USER") or getpass.getuser()
