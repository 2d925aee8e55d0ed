"""The fields of `BackdoorPlan` on the command line."""

from __future__ import annotations

from bezoar.cli.options import Option

DATA_OPTIONS = (
    Option("classes", "list", "A,B,...", "classes to keep (default: all)"),
    Option("image_size", "int", "N", "side of the images in pixels (default: 32)"),
    Option("samples", "int", "N", "training images that each seed draws (default: all)"),
    Option("test_samples", "int", "N", "test images that each seed draws (default: all)"),
    Option("validation", "int", "N", "clean images that the defender holds (default: 200)"),
)  # fmt: skip
ATTACK_OPTIONS = (
    Option("triggers", "each", "T", "trigger, see bezoar list triggers: patch:3, blend:0.15, "
           "qcolor:1.2,1,0.8, wanet, ...; give it again for more (default: these first three)"),
    Option("rates", "numbers", "R,S,...", "shares of the training images to poison "
           "(default: 0.1)"),
    Option("target", "text", "CLASS", "class that the attacker wants (default: the first)"),
    Option("mapping", "text", "HOW", "all-to-one, all-to-all or source-specific "
           "(default: all-to-one)"),
    Option("sources", "list", "A,B,...", "classes to poison, for source-specific"),
    Option("clean_label", "switch", "", "poison images of the target class, labels kept "
           "(default: no)"),
    Option("cover", "float", "N", "cover images for each poisoned one, for wanet and "
           "source-specific (default: 0)"),
)  # fmt: skip
NETWORK_OPTIONS = (
    Option("trunk", "text", "NAME", "small, resnet-18, resnet-50; none for a table "
           "(default: small)"),
    Option("stages", "int", "N", "ResNet stages kept, 1 to 4 (default: 4)"),
    Option("weights", "text", "SOURCE", "of the trunk: none, imagenet, torchvision, a .safetensors "
           "or .npz file, or a URL with #sha256=... (default: none)"),
    Option("heads", "list", "A,B,...", "quantum, linear (its classical twin), tanh (control) "
           "(default: quantum,linear)"),
    Option("width", "int", "N", "qubits, or width of the bottleneck (default: 10)"),
    Option("layers", "int", "N", "layers of the circuit (default: 6)"),
    Option("entangler", "text", "NAME", "ring or chain (default: ring)"),
    Option("noise", "text", "MODEL", "noise of the circuit: none, ad-dep:P, dep:P, ... "
           "(default: none)"),
    Option("shots", "int", "N", "measurements per circuit execution (default: exact)"),
    Option("warm_up", "int", "N", "epochs of the head alone (default: 0)"),
    Option("epochs", "int", "N", "epochs of head and trunk (default: 15)"),
    Option("train_from", "text", "STAGE", "first stage of the trunk that is trained; head for a "
           "frozen trunk (default: stem, all)"),
    Option("batch_size", "int", "N", "images per step (default: 32)"),
    Option("learning_rate", "float", "R", "of the trunk (default: 0.001)"),
    Option("head_learning_rate", "float", "R", "of the head's linear layers (default: 0.002)"),
    Option("theta_learning_rate", "float", "R", "of the circuit's angles (default: 0.02)"),
    Option("precision", "text", "NAME", "auto, float32 or bfloat16 (default: auto)"),
    Option("device", "text", "NAME", "torch device (default: cpu)"),
)  # fmt: skip
JUDGE_OPTIONS = (
    Option("defences", "list", "A,B,...", "fine-pruning, neural-cleanse, strip, "
           "activation-clustering, spectral-signatures (default: none)"),
    Option("retrain", "switch", "", "train anew on what the sample detectors leave "
           "(default: no)"),
    Option("control", "switch", "", "train the zero-trigger control (default: yes)"),
    Option("curves", "switch", "", "accuracy and attack success after each epoch (default: no)"),
    Option("saliency", "switch", "", "Grad-CAM maps and their similarity (default: no)"),
    Option("gradients", "switch", "", "gradient norms and parameter counts (default: no)"),
    Option("theory", "switch", "", "the bounds of the paper's theorems (default: no)"),
    Option("seeds", "int", "N", "repetitions, with seeds 0 to N-1 (default: 3)"),
    Option("tolerance", "float", "SHARE", "attack success this little above leak and control is "
           "no finding (default: 0.1)"),
)  # fmt: skip
BACKDOOR_OPTIONS = (*DATA_OPTIONS, *ATTACK_OPTIONS, *NETWORK_OPTIONS, *JUDGE_OPTIONS)
