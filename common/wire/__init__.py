"""What crosses the network: the contract, the records it declares, and how messages are laid out."""
