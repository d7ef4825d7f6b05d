"""Durable memory: SQLAlchemy Core on SQLite or PostgreSQL."""
