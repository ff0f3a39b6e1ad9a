"""Option groups that several methods share. A method's own options compose them.

Every default is one fixed setting for all data sets: tuning discovery per data set would smuggle the
number of categories in (docs/method.md#calibration).
"""

from typing import Literal

from pydantic import Field

from common.settings import Options


class TrainingOptions(Options):
    """Local training of the representation."""

    local_epochs: int = Field(2, ge=1, le=100, description="passes over a site's samples in a round")
    batch_size: int = Field(64, ge=2, le=65536)
    optimizer: Literal["adamw", "sgd"] = Field("adamw", description="sgd: momentum 0.9, as in SimGCD")
    learning_rate: float = Field(1e-3, gt=0, le=10, description="peak; FedLPA: of the warm-up")
    pretrained_rate: float = Field(
        0.1, ge=0, le=1, description="learning rate of a pretrained model's blocks, as a share of the others'"
    )
    weight_decay: float = Field(1e-4, ge=0, le=1, description="on matrices only")
    contrastive_weight: float = Field(1.0, ge=0, description="0 removes InfoNCE")
    contrastive_temperature: float = Field(0.2, gt=0, le=10)
    supervised_weight: float = Field(0.15, ge=0, le=1, description="lambda: share of the supervised terms in the loss")
    supcon: bool = Field(True, description="supervised contrastive term on labelled samples")
    cross_entropy: bool = Field(True, description="cross-entropy of the seen-class head on labelled samples")
    positives: Literal["neighbours", "views"] = Field(
        "neighbours",
        description="InfoNCE positives: mutual nearest neighbours in the input, or two views of one sample",
    )
    neighbours: int = Field(10, ge=1, le=1000, description="k of the mutual nearest neighbours")
    augmentation: float = Field(0.6, ge=0, le=3, description="strength of the random views; 0: none")
    flip: bool = Field(False, description="views of images may be mirrored left to right")


class PhaseOptions(Options):
    """Warm-up first, then refinement."""

    warmup_rounds: int | None = Field(None, ge=0, description="rounds of warm-up; unset: 60 % of the rounds that train")
    refine_learning_rate: float = Field(5e-4, gt=0, le=10, description="peak after the warm-up; cosine")


class DiscoveryOptions(Options):
    """Client-local category discovery (CLCD, docs/method.md#discovery)."""

    knn: int = Field(10, ge=1, le=1000, description="k of the similarity graph")
    refine_graph: bool = Field(True, description="labels refine the graph: same class weight 1, different no edge")
    reliable_quantile: float | None = Field(
        None,
        ge=0,
        le=1,
        description="P: predicted seen classes above this quantile of confidence refine the graph too (paper: 0.5)",
    )
    centre: Literal["federation", "site"] = Field(
        "federation", description="mean that features are centred on before cosine"
    )
    resolution: float | None = Field(
        None, gt=0, le=20, description="fixed Markov time for Infomap; unset: calibrated with labels"
    )
    fallback_resolution: float = Field(
        2.0, gt=0, le=20, description="where neither the site nor the federation has labels to calibrate with"
    )
    calibration_hidings: int = Field(3, ge=1, le=50, description="random half-hidings averaged")
    calibration_shrinkage: float = Field(
        100.0, ge=0, description="pseudo-count of the federation's curve; 0: each site for itself"
    )
    calibration_tolerance: float = Field(
        0.02, ge=0, le=1, description="the coarsest resolution this close to the best; 0: the best itself"
    )
    infomap_trials: int = Field(3, ge=1, le=100)
    label_rate_split: bool = Field(True, description="split concepts that mix parts whose labelled share differs")
    min_support: int = Field(5, ge=1, description="smaller communities join the nearest prototype")
    name_share: float = Field(
        0.15, ge=0, le=1, description="share of a concept that must be labelled so for it to take a seen name"
    )


class AlignmentOptions(Options):
    """Self-distillation and prior alignment over category rows (LPA, docs/method.md#local-training)."""

    distillation_weight: float = Field(1.0, ge=0, description="0 removes L_sd")
    prior_weight: float = Field(0.5, ge=0, description="epsilon; 0 removes the prior term")
    prior: Literal["local", "uniform"] = Field(
        "local", description="target of the prior term; uniform is SimGCD's entropy regulariser"
    )
    student_temperature: float = Field(0.1, gt=0, le=10)
    teacher_temperature: float = Field(0.05, gt=0, le=10)
    teacher_temperature_start: float | None = Field(
        None, gt=0, le=10, description="paper: 0.07 -> 0.04 linear over the first 30 % of rounds"
    )
