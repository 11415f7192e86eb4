"""The OpenAPI document against the running application: random requests, and each answer must be one it describes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.errors import Error as SchemathesisError
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.api import application
from services.api.operations import Operation
from services.api.problems import KINDS

__all__ = ["SchemathesisError"]
