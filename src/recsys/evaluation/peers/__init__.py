from recsys.evaluation.peers.catalog import PEERS, peers_of, simplest
from recsys.evaluation.peers.peer import FittedPeer, Peer, Rule, load_peer

__all__ = ["PEERS", "FittedPeer", "Peer", "Rule", "load_peer", "peers_of", "simplest"]
