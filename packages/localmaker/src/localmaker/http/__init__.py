"""HTTP and AWS's wire protocols: the server, the gateway that answers or delegates, and the table of operations."""
