"""What stands in for the XGBoost container's package of this name: its exceptions."""
