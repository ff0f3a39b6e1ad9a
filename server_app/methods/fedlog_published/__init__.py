"""FedLoG as published, at the server."""

from server_app.method import ServerMethod
from server_app.methods.fedlog_published.server import PublishedServer
from server_app.sites.lay_graphs import lay_out_graphs

METHOD = ServerMethod(PublishedServer, lay_out_graphs)
