"""A Ray cluster of two nodes on this machine: python -m tests.builders.work.two_nodes.

No test itself. Its head has 4 processors and what it says is a card, the other node has 2 processors. It
prints its address and the number of the other node. A line of standard input kills that node, as a power cut
would, which is said. The end of standard input ends the cluster.
"""

import os
import sys
from typing import Any

STORE = {"object_store_memory": 100 * 2**20}


def main() -> None:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ |= {"RAY_health_check_period_ms": "500", "RAY_health_check_failure_threshold": "2"}
    from ray.cluster_utils import Cluster

    head: dict[str, Any] = {"num_cpus": 4, "num_gpus": 1, "include_dashboard": False, **STORE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        other = cluster.add_node(num_cpus=2, **STORE)
        print(cluster.address, other.node_id, flush=True)
        for _ in sys.stdin:
            cluster.remove_node(other, allow_graceful=False)
            print("killed", flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
