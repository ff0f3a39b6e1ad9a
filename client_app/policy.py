"""``policy.yaml``: what an institution lets out. It can only narrow the run's wire contract, never widen it.

It fails closed: without a readable policy file that names the run's method, nothing leaves.
"""

from pathlib import Path

from flwr.app import RecordDict
from pydantic import Field, model_validator

from client_app.site import SimulatedSite, Site
from common.errors import InputError
from common.toml_file import FileSettings, check_settings
from common.wire.contract import METRICS, Contract
from common.wire.records import WEIGHTS


class Policy(FileSettings):
    """What may leave the site in one reply."""

    methods: tuple[str, ...] = Field(description="methods that the site takes part in")
    records: tuple[str, ...] = Field((WEIGHTS,), description="array records that may leave")
    scalars: tuple[str, ...] = Field(("samples",), description="metrics that may leave")
    max_bytes_per_round: int = Field(gt=0, description="cap on the arrays of one reply, in bytes")
    min_samples: int = Field(ge=1, description="samples behind a reply, and behind every category row in it")
    clip_norm: float | None = Field(None, gt=0, description="L2 norm that an update of the weights is clipped to")
    noise_multiplier: float = Field(0.0, ge=0, description="standard deviation of the noise, in units of clip-norm")

    max_rounds: int = Field(1000, ge=1, description="rounds that are answered in all runs together")
    max_epsilon: float | None = Field(
        None, gt=0, description="epsilon that the noised updates of all runs together may come to"
    )

    @model_validator(mode="after")
    def _noise_is_meant(self) -> "Policy":
        if self.noise_multiplier > 0 and self.clip_norm is None:
            raise ValueError("noise-multiplier needs clip-norm: noise hides only what is bounded")
        if self.noise_multiplier > 0 and set(self.records) - {WEIGHTS}:
            raise ValueError("with noise-multiplier, records may be [weights] only: other records carry no noise")
        if self.noise_multiplier > 0 and set(self.scalars) - {"samples"}:
            raise ValueError("with noise-multiplier, scalars may be [samples] only: others carry no noise")
        if self.max_epsilon is not None and not self.noise_multiplier:
            raise ValueError("max-epsilon needs noise-multiplier: without noise no epsilon is finite")
        return self


def load_policy(path: Path, method: str) -> Policy:
    """The policy for runs of ``method``.

    Raises:
        InputError: as ``read_policy``, or it does not name the method: all refuse the run.
    """
    policy = read_policy(path)
    if method not in policy.methods:
        raise InputError(
            f"{path} does not allow the method '{method}', so nothing may leave; add it to 'methods' to take part."
        )
    return policy


def read_policy(path: Path) -> Policy:
    """A site's policy, whatever it is asked to run.

    Raises:
        InputError: no policy file, or an unreadable one.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist, so nothing may leave; write a policy file.") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}), so nothing may leave; mend the policy file."
        ) from None
    except RecursionError:
        raise InputError(f"{path} is nested too deeply, so nothing may leave; mend the policy file.") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise InputError(f"{path} is not YAML text{where}, so nothing may leave; mend the policy file.") from None
    return check_settings(Policy, values, path)


def support_floor(site: Site, method: str, floor: int) -> int:
    """The smallest group of samples that may stand behind a row: the run's ``floor``, raised by a site's policy."""
    return floor if isinstance(site, SimulatedSite) else max(floor, load_policy(site.policy, method).min_samples)


def policy_violations(content: RecordDict, contract: Contract, policy: Policy) -> list[str]:
    """Everything in ``content``, which fits the contract, that the policy does not allow; a sentence each."""
    found = [
        f"record '{name}' is not in the policy" for name in content if name != METRICS and name not in policy.records
    ]
    metrics = dict(content.metric_records.get(METRICS) or {})
    found += [f"metric '{name}' is not in the policy" for name in metrics if name not in policy.scalars]
    size = sum(len(array.data) for record in content.array_records.values() for array in record.values())
    if size > policy.max_bytes_per_round:
        found.append(f"{size} bytes are more than max-bytes-per-round={policy.max_bytes_per_round}")
    samples = metrics.get("samples")
    if not isinstance(samples, int | float) or samples < policy.min_samples:
        found.append(f"fewer than min-samples={policy.min_samples} samples are behind the reply")
    return found + _small_groups(content, contract, policy)


def shortcomings(policy: Policy, contract: Contract) -> list[str]:
    """What a run wants to send and the policy does not let out; a sentence each. For the preflight."""
    contract = contract.at_institution()
    wanted = [record.name for record in contract.records]
    return [f"record '{name}' is not in the policy" for name in wanted if name not in policy.records] + [
        f"metric '{name}' is not in the policy" for name in contract.metrics if name not in policy.scalars
    ]


def _small_groups(content: RecordDict, contract: Contract, policy: Policy) -> list[str]:
    """Rows for which too few samples stand, in records that count them."""
    found = []
    for record in contract.records:
        sent = content.array_records.get(record.name)
        if not record.counted or sent is None or "counts" not in sent:
            continue
        small = int((sent["counts"].numpy() < policy.min_samples).sum())
        if small:
            found.append(f"{small} {record.counted} stand for fewer than min-samples={policy.min_samples} samples")
    return found
