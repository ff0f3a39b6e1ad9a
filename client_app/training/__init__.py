"""Local training: views, neighbours, losses and the loop. Shared by the methods; knows none of them."""
