"""Bulk changes and imports: accepted at once, done in the background, every item in a truthful state."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from infrastructure.jobs.jobs import Jobs
from infrastructure.postgres.pool import Pool
from services import bulk_job
from services.app import App
from services.jobs import WORK, do_one, run_jobs
from services.usecases.outcome import TooBusy
from tests.services.api.test_products import created

CSV = b"sku,name,base_price,stock\nKOPI,Kopi Gayo,85000,11\nTEH,Teh Melati,x,3\n"
BULK = "/api/v2/products/bulk-update"


async def job(api: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = (await api.get(answer.headers["location"])).json()
    return body


async def test_each_item_of_a_bulk_change_ends_in_a_state_of_its_own(api: httpx.AsyncClient, app: App) -> None:
    one = await created(api, sku="A")
    await created(api, sku="B")
    items = [
        {"id": one["id"], "changes": {"base_price": 1500}},
        {"sku": "b", "changes": {"base_price": -1}},
        {"sku": "NONE", "changes": {"name": "X"}},
        {"sku": "B", "changes": {"base_price": 189_000}},
        {"sku": "A", "changes": {"name": "Nama baru"}},
    ]
    answer = await api.post(BULK, json={"items": items})
    waiting = await job(api, answer)
    assert (waiting["state"], waiting["total"], waiting["settled"]) == ("waiting", 5, 0)
    assert await do_one(app)
    done = await job(api, answer)
    assert (done["state"], done["settled"]) == ("finished", 5)
    assert [item["state"] for item in done["items"]] == ["done", "refused", "refused", "unchanged", "done"]
    assert done["items"][1]["problem"]["code"] == "price_out_of_range"
    assert done["items"][2]["problem"]["code"] == "sku_unknown"
    assert done["items"][4]["version"] == 3
    assert not await do_one(app)


async def test_a_job_is_resumed_by_another_process_after_a_crash(
    api: httpx.AsyncClient, app: App, app_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        await created(api, sku=f"S{number}")
    items = [{"sku": f"S{number}", "changes": {"base_price": 2000 + number}} for number in range(4)]
    answer = await api.post(BULK, json={"items": items})
    monkeypatch.setattr(bulk_job, "CHUNK", 2)
    settle = Jobs.settle
    calls = 0

    async def killed(self: Jobs, *arguments: Any) -> bool:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ConnectionAbortedError("killed after the events were stored and before their items were told")
        return await settle(self, *arguments)

    monkeypatch.setattr(Jobs, "settle", killed)
    with pytest.raises(ConnectionAbortedError):
        await do_one(app)
    assert (await job(api, answer))["counts"] == {"done": 2, "waiting": 2}
    assert await do_one(app)
    done = await job(api, answer)
    assert (done["state"], done["counts"]) == ("finished", {"done": 4})
    assert [item["version"] for item in done["items"]] == [2, 2, 2, 2]


async def test_an_item_that_changes_nothing_is_unchanged_also_after_another_of_its_job(
    api: httpx.AsyncClient, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await created(api, sku="A")
    monkeypatch.setattr(bulk_job, "CHUNK", 2)
    items = [{"sku": "A", "changes": {"base_price": 1500}}] * 3
    answer = await api.post(BULK, json={"items": items})
    assert await do_one(app)
    done = await job(api, answer)
    assert [(item["state"], item["version"]) for item in done["items"]] == [("done", 2)] + [("unchanged", 2)] * 2
    assert (done["counts"], done["settled"]) == ({"done": 1, "unchanged": 2}, 3)


@pytest.mark.parametrize("meanwhile", ["changed", "archived"])
async def test_an_item_is_done_once_whatever_happens_between_a_crash_and_going_on(
    api: httpx.AsyncClient, app: App, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    path = f"/api/v2/products/{(await created(api, sku='A'))['id']}"
    answer = await api.post(BULK, json={"items": [{"sku": "A", "changes": {"base_price": 1500}}]})

    async def killed(*_: Any) -> bool:
        raise ConnectionAbortedError("killed after the events were stored and before their items were told")

    with monkeypatch.context() as patched:
        patched.setattr(Jobs, "settle", killed)
        with pytest.raises(ConnectionAbortedError):
            await do_one(app)
    if meanwhile == "changed":
        assert (await api.patch(path, json={"base_price": 1700})).status_code == 200
    else:
        assert (await api.delete(path)).status_code == 200
    assert await do_one(app)
    done = await job(api, answer)
    assert [(item["state"], item["version"]) for item in done["items"]] == [("done", 2)]
    assert (await api.get(path)).json()["version"] == 3


async def test_jobs_are_done_as_they_come_until_the_process_is_told_to_stop(api: httpx.AsyncClient, app: App) -> None:
    await created(api, sku="A")
    stop = asyncio.Event()
    working = asyncio.create_task(run_jobs(app, stop))
    answer = await api.post(BULK, json={"items": [{"sku": "A", "changes": {"base_price": 1500}}]})
    async with asyncio.timeout(20):
        while (await job(api, answer))["state"] != "finished":
            await asyncio.sleep(0.01)
        stop.set()
        await working


async def test_a_job_that_is_interrupted_is_free_for_the_next_process_at_once(
    api: httpx.AsyncClient, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await created(api, sku="A")
    answer = await api.post(BULK, json={"items": [{"sku": "A", "changes": {"base_price": 1500}}]})
    begun = asyncio.Event()

    async def endless(*_: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setitem(WORK, "bulk_update", endless)
    stop = asyncio.Event()
    working = asyncio.create_task(run_jobs(app, stop))
    async with asyncio.timeout(20):
        await begun.wait()
        stop.set()
        await working
    monkeypatch.undo()
    assert await do_one(app)
    assert (await job(api, answer))["state"] == "finished"


async def test_a_job_that_meets_what_passes_is_not_failed_but_taken_up_again(
    api: httpx.AsyncClient, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await created(api, sku="A")
    answer = await api.post(BULK, json={"items": [{"sku": "A", "changes": {"base_price": 1500}}]})

    async def overrun(*_: Any) -> None:
        raise TooBusy("product-a moved 6 times meanwhile")

    monkeypatch.setitem(WORK, "bulk_update", overrun)
    with pytest.raises(TooBusy):
        await do_one(app)
    monkeypatch.undo()
    assert (await job(api, answer))["state"] not in {"failed", "finished"}
    assert await do_one(app)
    assert (await job(api, answer))["state"] == "finished"


async def test_a_cancelled_job_begins_nothing_more(api: httpx.AsyncClient, app: App) -> None:
    await created(api, sku="A")
    answer = await api.post(BULK, json={"items": [{"sku": "A", "changes": {"base_price": 1500}}]})
    cancelled = await api.post(answer.headers["location"] + "/cancel")
    assert cancelled.json()["state"] == "cancelled"
    assert not await do_one(app)
    assert (await job(api, answer))["counts"] == {"cancelled": 1}


async def test_an_ended_job_cannot_be_cancelled(api: httpx.AsyncClient, app: App) -> None:
    await created(api, sku="A")
    answer = await api.post(BULK, json={"items": [{"sku": "A", "changes": {"base_price": 1500}}]})
    await do_one(app)
    late = await api.post(answer.headers["location"] + "/cancel")
    assert (late.status_code, late.json()["code"]) == (409, "job_ended")


async def test_a_repeated_request_for_a_job_is_the_same_job(api: httpx.AsyncClient) -> None:
    body = {"items": [{"sku": "A", "changes": {"base_price": 1500}}]}
    headers = {"idempotency-key": "weekend-sale"}
    first, second = [await api.post(BULK, json=body, headers=headers) for _ in range(2)]
    assert first.content == second.content
    assert second.headers["idempotency-replayed"] == "true"
    other = await api.post(BULK, json={"items": [{"sku": "B", "changes": {}}]}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_the_place_of_a_faulty_item_is_told(api: httpx.AsyncClient) -> None:
    items = [{"sku": "A", "changes": {}}, {"sku": "B", "changes": {"base_price": "1"}}]
    answer = await api.post(BULK, json={"items": items})
    assert answer.json()["errors"][0]["pointer"] == "/items/1/changes/base_price"
    neither = await api.post(BULK, json={"items": [{"changes": {}}]})
    assert (neither.status_code, neither.json()["errors"][0]["pointer"]) == (422, "/items/0")


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_job_has_1_to_1000_items(api: httpx.AsyncClient, count: int) -> None:
    answer = await api.post(BULK, json={"items": [{"sku": "A", "changes": {}}] * count})
    assert (answer.status_code, answer.json()["code"]) == (422, "body_invalid")


async def test_a_preview_tells_what_an_import_would_do_and_stores_nothing(api: httpx.AsyncClient) -> None:
    headers = {"content-type": "text/csv"}
    params = {"warehouse": "Jakarta", "preview": "true"}
    answer = await api.post("/api/v2/imports", content=CSV, headers=headers, params=params)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["rows"], report["created"], report["rejected"]) == (2, 1, 1)
    assert report["rejections"][0]["line"] == 3
    assert (await api.get("/api/v2/jobs/none")).status_code == 404
    again = await api.post("/api/v2/imports", content=CSV, headers=headers, params=params)
    assert again.json()["created"] == 1


async def test_columns_that_are_not_used_are_in_preview_and_report(api: httpx.AsyncClient, app: App) -> None:
    headers, params = {"content-type": "text/csv"}, {"warehouse": "Jakarta"}
    content = "sku,name,base_price,stok\nBTK,Kemeja,189000,24\n"
    preview = await api.post("/api/v2/imports", content=content, headers=headers, params={**params, "preview": "true"})
    assert preview.json()["unused_columns"] == [{"heading": "stok", "meant": "stock"}]
    answer = await api.post("/api/v2/imports", content=content, headers=headers, params=params)
    assert await do_one(app)
    assert (await job(api, answer))["report"]["unused_columns"] == [{"heading": "stok", "meant": "stock"}]


async def test_an_import_is_a_job_with_a_report(api: httpx.AsyncClient, app: App) -> None:
    headers = {"content-type": "text/csv"}
    answer = await api.post("/api/v2/imports", content=CSV, headers=headers, params={"warehouse": "Jakarta"})
    assert await do_one(app)
    done = await job(api, answer)
    assert (done["state"], done["report"]["created"], done["report"]["rejected"]) == ("finished", 1, 1)
    same = await api.get(f"/api/v2/imports/{done['id']}")
    assert same.json() == done


async def test_a_file_that_is_no_catalogue_fails_its_job_with_the_reason(api: httpx.AsyncClient, app: App) -> None:
    headers = {"content-type": "text/csv"}
    answer = await api.post("/api/v2/imports", content=b"a,b\n1,2\n", headers=headers, params={"warehouse": "J"})
    assert await do_one(app)
    done = await job(api, answer)
    assert done["state"] == "failed"
    assert "columns_missing" in done["error"]
