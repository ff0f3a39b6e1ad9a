"""FedLPA at the server: averaging, calibration, matching of category rows, the catalogue."""

from server_app.method import ServerMethod
from server_app.methods.fedlpa.server import FedLPAServer
from server_app.sites.lay_samples import lay_out_samples

METHOD = ServerMethod(FedLPAServer, lay_out_samples)
