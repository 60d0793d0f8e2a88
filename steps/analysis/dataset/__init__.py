"""The data set's declaration: everything that is true of one table and not of tables in general."""
