"""Holds the running service against its own OpenAPI document."""
