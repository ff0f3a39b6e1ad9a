"""FedAvg and FedProx of a GraphSAGE at the server."""

import numpy as np
from numpy.typing import NDArray

from common.methods.graph_fedavg import AVERAGED
from common.methods.graph_local import BaselineOptions
from server_app.graph_server import GraphServer
from server_app.method import ServerMethod
from server_app.sites.lay_graphs import lay_out_graphs


class GraphFedAvgServer(GraphServer[BaselineOptions]):
    """The averaged model is scored, and each site's before averaging."""

    predictors = AVERAGED

    def initial_weights(self) -> dict[str, NDArray[np.float32]]:
        """Of the GraphSAGE."""
        return self.graph_sage()


METHOD = ServerMethod(GraphFedAvgServer, lay_out_graphs)
