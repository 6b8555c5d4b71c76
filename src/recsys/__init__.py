"""recsys: what a retailer's members want next, who will buy again, and who is leaving."""
