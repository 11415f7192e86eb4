"""Work that goes on after its request was answered, kept in the database until it has ended."""
