"""The baseline without a federation: the server only adds up what the sites report."""

from common.methods.local_infomap import LocalInfomapOptions
from server_app.discovery_server import DiscoveryServer
from server_app.method import ServerMethod
from server_app.sites.lay_samples import lay_out_samples

METHOD = ServerMethod(DiscoveryServer[LocalInfomapOptions], lay_out_samples)
