"""What stands in for the XGBoost container's package of this name, which is on no index: what programs use of it."""
