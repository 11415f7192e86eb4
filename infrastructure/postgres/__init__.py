"""PostgreSQL: connections, named statements, migrations."""
