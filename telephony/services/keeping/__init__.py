"""Looks after the store, its disk and its keys, and repairs or replaces them where they are not well."""
