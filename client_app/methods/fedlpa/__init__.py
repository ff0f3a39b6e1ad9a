"""FedLPA at an institution (docs/method.md): discover in private, align to the own prior, send weights."""

from client_app.method import ClientMethod
from client_app.methods.fedlpa.delivery import deliver
from client_app.methods.fedlpa.round import run_round

METHOD = ClientMethod(run_round, deliver)
