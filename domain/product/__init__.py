"""A product: what is sold, under which names and prices."""
