"""The services, which do what the product does, written against ports alone."""
