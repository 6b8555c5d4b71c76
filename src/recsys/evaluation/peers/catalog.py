"""The peers of each task: one table."""

from collections.abc import Mapping

from recsys.core.errors import ConfigError
from recsys.core.task import Task
from recsys.evaluation.peers import churn, new_product, recommend, repurchase, value
from recsys.evaluation.peers.peer import Peer, Rule

PEERS: dict[str, tuple[Rule, ...]] = {
    "repurchase": repurchase.RULES,
    "churn": churn.RULES,
    "new_product": new_product.RULES,
    "recommend": recommend.RULES,
    "recommend_subcategory": recommend.RULES,
    "value": value.RULES,
}
"""Task name -> its peers."""

SIMPLEST: dict[str, str] = {
    "repurchase": "shrunk_gap",
    "churn": "recency",
    "new_product": "category_affinity",
    "recommend": "gp_topfreq",
    "recommend_subcategory": "gp_topfreq",
    "value": "own_mean",
}
"""Task name -> the peer that is quickly fitted and not trivially beaten."""


def peers_of(task: Task) -> Mapping[str, Peer]:
    """All peers of a task by name; `ConfigError` when it has none."""
    if task.name not in PEERS:
        raise ConfigError("task", f"{task.name!r} has no peers; choose one of {', '.join(sorted(PEERS))}")
    return {rule.name: Peer(rule) for rule in PEERS[task.name]}


def simplest(task: Task) -> Mapping[str, Peer]:
    """One peer of a task by name, for a quick look."""
    name = SIMPLEST.get(task.name, "")
    return {known: peer for known, peer in peers_of(task).items() if known == name}
