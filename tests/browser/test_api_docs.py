"""The API's page: drawn from the OpenAPI document, by this host alone."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OPEN


def test_every_operation_is_drawn_and_opens_with_its_examples(opened: OPEN) -> None:
    page = opened("/api/v1/docs/", signed=False)
    expect(page.locator(".info .title")).to_contain_text("echoadmin")
    page.locator("[id='operations-tag-echoes'] button.expand-operation").click()
    operation = page.locator("#operations-echoes-conversations_echoes_create")
    expect(operation).to_contain_text("Makes the replica speak")
    operation.locator(".opblock-summary-control").click()
    expect(operation.locator(".responses-table")).to_contain_text("inference_id_taken")
    expect(operation).to_contain_text("Good morning.")
    expect(operation).to_contain_text("Idempotency-Key")
