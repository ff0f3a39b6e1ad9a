"""FedAvg and FedProx of a GraphSAGE at the server."""

from common.methods.graph_fedavg import AVERAGED
from common.methods.graph_local import BaselineOptions
from server_app.graph_server import GraphServer
from server_app.method import ServerMethod
from server_app.sites.lay_graphs import lay_out_graphs


class GraphFedAvgServer(GraphServer[BaselineOptions]):
    """The averaged model is scored, and each site's before averaging."""

    predictors = AVERAGED


METHOD = ServerMethod(GraphFedAvgServer, lay_out_graphs)
