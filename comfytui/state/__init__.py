"""What is known of servers, and how it changes: frozen state, pure functions on it, and the connection that feeds them."""
