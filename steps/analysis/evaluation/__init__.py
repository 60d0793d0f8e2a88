"""How good a model is, and whether it is too good to be true."""
