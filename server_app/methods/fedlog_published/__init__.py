"""FedLoG as published, at the server."""
