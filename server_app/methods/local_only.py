"""The baseline without exchange: every round is scored on what the sites report of it."""

from common.methods.local_only import LocalOnlyOptions
from server_app.discovery_server import DiscoveryServer
from server_app.method import ServerMethod
from server_app.sites.lay_samples import lay_out_samples

METHOD = ServerMethod(DiscoveryServer[LocalOnlyOptions], lay_out_samples)
