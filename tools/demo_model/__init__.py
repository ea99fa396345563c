"""The demo model's whole recipe: pictures, training, export, measurement."""
