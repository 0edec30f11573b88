"""The update rules and how a network's parameters are divided among them."""
