"""FedLoG as published, at an institution: branches, prompts, scaling (docs/fedlog.md#the-published-form)."""

from client_app.graphs.node_data import load_graph_data
from client_app.method import ClientMethod
from client_app.methods.fedlog_published.delivery import deliver
from client_app.methods.fedlog_published.round import run_round

METHOD = ClientMethod(run_round, deliver, load_graph_data)
