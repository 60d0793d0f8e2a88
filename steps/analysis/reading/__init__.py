"""The raw table: read, checked, converted, its quality reported."""
