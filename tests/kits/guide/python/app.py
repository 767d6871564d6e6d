"""The application under test. It knows nothing of bulkd: the SDK finds its service by the environment."""

from courier import Courier


def sign_up(address: str) -> None:
    content = {"title": "Welcome", "body": "Your code is 482913. Or follow https://app.example/verify?t=1"}
    message = {"to": {"email": address}, "content": content}
    Courier().send.message(message=message, extra_headers={"Idempotency-Key": f"welcome {address}"})


def weekly(week: int, addresses: list[str]) -> str:
    """An SDK sends a request again whose answer is lost. The key has that done once."""
    courier, once = Courier(), {"Idempotency-Key": f"week {week}"}
    message = {"event": "weekly", "content": {"title": "Week {{week}}", "body": "Hello."}, "data": {"week": week}}
    job_id = courier.bulk.create_job(message=message, extra_headers=once).job_id
    users = [{"recipient": address, "profile": {"email": address}} for address in addresses]
    courier.bulk.add_users(job_id, users=users, extra_headers=once)
    courier.bulk.run_job(job_id, extra_headers=once)
    return job_id
