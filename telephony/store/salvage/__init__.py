"""A damaged SQLite file: read page by page, set aside, its rows carried into a fresh store."""
