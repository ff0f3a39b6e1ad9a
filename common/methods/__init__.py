"""What both sides must agree on, a module a method; ``registry`` finds them."""
