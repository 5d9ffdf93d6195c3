"""How a message leaves: the message, its MIME form, the providers and the manager that chooses between them."""
