"""The server's side of a deployment: make a federation, run its server, submit runs and follow them."""
