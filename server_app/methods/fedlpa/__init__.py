"""FedLPA at the server: averaging, calibration, matching of category rows, the catalogue."""
