"""FedLoG at an institution (docs/fedlog.md): condense once, train on real nodes and all slots, keep an own model."""

from client_app.graphs.node_data import load_graph_data
from client_app.method import ClientMethod
from client_app.methods.fedlog.delivery import deliver
from client_app.methods.fedlog.round import run_round

METHOD = ClientMethod(run_round, deliver, load_graph_data)
