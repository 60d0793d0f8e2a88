"""What moto keeps in memory, kept in the state directory over restarts; large objects lie in files beside it."""
