"""FedLoG as published, at an institution (METHODS 2.1 to 2.4): branches, synthetic nodes, prompts, scaling."""

from client_app.graphs.node_data import load_graph_data
from client_app.method import ClientMethod
from client_app.methods.fedlog_published.delivery import deliver
from client_app.methods.fedlog_published.round import run_round

METHOD = ClientMethod(run_round, deliver, load_graph_data)
