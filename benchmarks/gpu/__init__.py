"""The comparison of servers on a machine with a GPU and without network: see README.md."""
