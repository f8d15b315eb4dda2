"""What training noted on the cards of a job's artifacts, which manifest and report of a run repeat."""

from __future__ import annotations

from typing import Any

from models.artifacts import CONFIG, load_card, load_config
from pipelines.job import Job
from pipelines.policies import told
from pipelines.recipes import fusion_folder, policies, policy_places


def learned(job: Job) -> dict[str, Any]:
    """`labels`: the fusion's metrics and learning curve; `policies`: of every head that decides, what it is worth."""
    labels: dict[str, Any] = {}
    if (fusion_folder(job) / CONFIG).exists():
        card = load_card(fusion_folder(job))
        labels = {name: card[name] for name in ("metrics", "history") if name in card}
    return {"labels": labels, "policies": {name: _policies(job, name) for name in policies(job)}}


def _policies(job: Job, name: str) -> list[dict[str, Any]]:
    """The one that decides, as the run's rows were decided by it."""
    places = policy_places(job, name)
    if places.standing() is None:
        return []
    card = load_card(places.published)
    noted: dict[str, Any] = {key: card[key] for key in ("off_policy", "history") if key in card}
    kind = load_config(places.published).spec.kind
    return [{"which": "published", "kind": kind, "told": told(name, places), **noted}]
