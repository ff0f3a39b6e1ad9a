"""No federation of graphs: the server only adds up what the sites report."""

from common.methods.graph_local import ALONE, BaselineOptions
from server_app.graph_server import GraphServer
from server_app.method import ServerMethod
from server_app.sites.lay_graphs import lay_out_graphs


class GraphLocalServer(GraphServer[BaselineOptions]):
    """Nothing is sent either way."""

    predictors = ALONE


METHOD = ServerMethod(GraphLocalServer, lay_out_graphs)
