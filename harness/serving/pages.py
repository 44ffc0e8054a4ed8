"""Pages of the server for people."""

from __future__ import annotations

from fastapi import FastAPI

from harness.serving.service import Service


def add_pages(app: FastAPI, service: Service) -> None:
    """Add the routes of pages and of the files that they are made of."""
