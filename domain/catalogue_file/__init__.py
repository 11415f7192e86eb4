"""A catalogue as a file: headings, numbers as people write them, rows, and the products they make."""
