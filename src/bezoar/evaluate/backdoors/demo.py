"""The plan of `bezoar backdoor demo`: everything once, small enough for two minutes."""

from bezoar.evaluate.backdoors.plan import BackdoorPlan

DEMO = BackdoorPlan(
    data="digits-rgb",
    samples=900,
    test_samples=400,
    validation=200,
    heads=("quantum", "linear"),
    triggers=("patch:3", "blend:0.15", "qcolor:1.2,1,0.8"),
    rates=(0.1,),
    defences=("fine-pruning", "strip", "spectral-signatures"),
    saliency=True,
    seeds=1,
)
