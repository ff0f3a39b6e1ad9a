"""One module a method: what the server does with the replies."""
