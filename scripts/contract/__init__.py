"""Checks the running service against its OpenAPI document."""
