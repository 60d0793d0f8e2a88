"""The quality of a model, and checks whether it is too good to be true."""
