"""A Shopee that answers as the Open Platform does, with its own seller pages."""
