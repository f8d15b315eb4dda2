"""Which policy of a decision head decides: the one published last; a new one stands beside it until it is better."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from models.artifacts import CONFIG, Config, load_card, load_config, require_sources, save
from models.errors import ConfigError, Problem
from models.heads._decision_spec import DecisionHeadSpec
from models.spec import Spec
from pipelines.worth import sentence

if TYPE_CHECKING:
    from models.evaluate.judgement import Judgement
    from models.learn.deciding import FittedPolicy

Clock = Callable[[], datetime]

NIGHTLY = ("action", "allowed", "values")
"""Settings that decide what a night reads and publishes: also a policy that was not trained last must have them."""


@dataclass(frozen=True)
class Places:
    """Where the artifacts of one decision head lie."""

    published: Path
    """The policy that decides."""
    candidate: Path
    """The one that was trained last, unless it decides."""

    def standing(self) -> Config | None:
        """The policy that decides, or None."""
        return _config(self.published)

    def waiting(self) -> Config | None:
        """The policy that was trained last and does not decide, or None."""
        candidate, standing = _config(self.candidate), self.standing()
        if candidate is None or standing is None:
            return candidate
        # A process that was killed between publishing and clearing up left the same policy in both places.
        return None if candidate.fingerprint == standing.fingerprint else candidate


class Verdict(NamedTuple):
    """Whether a policy is published, and why."""

    publish: bool
    reason: str


def now() -> datetime:
    """The clock's time, in UTC."""
    return datetime.now(UTC)


def verdict_on(head: DecisionHeadSpec, judgement: Judgement) -> Verdict:
    """Whether the head's `publish` rule lets a policy decide that was judged so."""
    found = sentence(judgement)
    if head.publish == "if_better":
        return Verdict(judgement.better, found)
    return Verdict(head.publish == "always", f"publish is {head.publish!r}; {found}")


def settle(
    places: Places,
    policy: FittedPolicy,
    verdict: Verdict,
    *,
    sources: Mapping[str, str],
    card: Mapping[str, object],
    clock: Clock = now,
) -> None:
    """Save a trained policy: as a candidate, then as the one that decides if the verdict says so.

    One that decides already (the same training, run again) stays as it is, with the date of its publication.

    Args:
        places: of the head.
        policy: as it was trained.
        verdict: on it.
        sources: modality -> fingerprint of what makes its embeddings.
        card: facts for people.
        clock: for the dates on the card.
    """
    time = clock().isoformat(timespec="seconds")
    facts: dict[str, Any] = {"trained": time, "published": None, "verdict": verdict.reason}
    spec = policy.spec.model_copy(update={"publish": "if_better"})  # the rule is no part of what the policy does
    save(places.candidate, spec, policy.module, sources=sources, card={**card, "policy": facts})
    if verdict.publish and places.waiting() is not None:
        facts["published"] = time
        save(places.published, spec, policy.module, sources=sources, card={**card, "policy": facts})
    if places.waiting() is None:
        shutil.rmtree(places.candidate)


def require_trained(path: str, wanted: DecisionHeadSpec, places: Places) -> None:
    """Refuse a head that was not trained, or not as the job file has it now.

    Raises:
        ConfigError: naming the setting.
    """
    newest = places.waiting() or load_config(places.published)
    require_same_settings(path, newest.spec, wanted, but=("publish",))


def require_policy(path: str, wanted: DecisionHeadSpec, places: Places, embeddings: Mapping[str, str]) -> None:
    """Refuse a night for which there is no policy that may decide.

    What the job file says must be what was trained last, whether that decides or not: where it was not good enough,
    the policy before it goes on, whatever its settings were.

    Args:
        path: the head's YAML path.
        wanted: the head as the job file has it.
        places: where its artifacts lie.
        embeddings: modality -> fingerprint of what makes its embeddings now.

    Raises:
        ConfigError: nothing was trained, or with other settings; nothing was published; or what was published reads
            other embeddings.
    """
    require_trained(path, wanted, places)
    waiting, standing = places.waiting(), places.standing()
    if standing is None:
        raise _none_decides(path, places, "none was published yet")
    if waiting is not None:
        require_same_settings(path, standing.spec, wanted, only=NIGHTLY)
    try:
        require_sources(places.published, standing, embeddings)
    except ConfigError as error:
        if waiting is None:
            raise error.at(path) from error
        last = f"the last one ({_day(places.published, 'published')}) reads others"
        raise _none_decides(path, places, last) from error


def _none_decides(path: str, places: Places, why: str) -> ConfigError:
    message = (
        f"must have a published policy that reads these embeddings; {why}, and the one trained "
        f"{_day(places.candidate, 'trained')} is not published: {_verdict(places.candidate)}. Look at it with `amalgam "
        f"evaluate JOB`; train on more decisions, or publish it all the same: `amalgam train JOB --set "
        f"{path}.publish=always`"
    )
    return ConfigError([Problem(path, message)])


def told(name: str, places: Places) -> str:
    """Which policy decides, since when, and what became of the last one trained: one line."""
    standing, waiting = places.standing(), places.waiting()
    line = f"{name}: no policy decides, and no night can be run"
    if standing is not None:
        since, why = _day(places.published, "published"), _verdict(places.published)
        line = f"{name}: the policy of {since} decides ({standing.spec.kind}): {why}"
    if waiting is None:
        return line
    trained, why = _day(places.candidate, "trained"), _verdict(places.candidate)
    return f"{line}; the one trained {trained} ({waiting.spec.kind}) does not: {why}"


def recorded(name: str, places: Places) -> dict[str, Any]:
    """What a run's manifest says of the policy that decided."""
    standing, card = load_config(places.published), load_card(places.published)
    return {
        "kind": standing.spec.kind,
        "actions": list(cast(DecisionHeadSpec, standing.spec).actions),
        "fingerprint": standing.fingerprint,
        "told": told(name, places),
        **{noted: card[noted] for noted in ("off_policy", "history") if noted in card},
    }


def require_same_settings(
    path: str, trained: Spec[Any], wanted: Spec[Any], *, but: tuple[str, ...] = (), only: tuple[str, ...] = ()
) -> None:
    """Refuse an artifact that was trained with other settings than the job file now gives.

    Args:
        path: YAML path, for messages.
        trained: the artifact's Spec.
        wanted: the job file's.
        but: settings that do not count.
        only: the only ones that count, if there are any; also where the job file leaves them out.

    Raises:
        ConfigError: naming the setting.
    """
    names = only or [k for k in wanted.settings() if k in wanted.model_fields_set | {"kind"} and k not in but]
    for name in names:
        was, value = trained.settings().get(name), wanted.settings().get(name)
        if name not in wanted.derived and was != value:
            message = f"must be as it was trained ({was!r}); got {value!r}; run `amalgam train` to train it anew"
            raise ConfigError([Problem(f"{path}.{name}", message)])


def _config(folder: Path) -> Config | None:
    return load_config(folder) if (folder / CONFIG).exists() else None


def _facts(folder: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", load_card(folder).get("policy", {}))


def _verdict(folder: Path) -> str:
    return str(_facts(folder).get("verdict", "not judged"))


def _day(folder: Path, event: str) -> str:
    """The day of an event on a policy's card."""
    return str(_facts(folder).get(event) or "an unknown day")[:10]
