"""What the offline store knew at a moment: the queries, and running them."""
