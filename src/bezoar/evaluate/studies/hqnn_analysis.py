"""What the reproduced items of hybrid networks mean; numbers are filled in from the rows.

Written for the scale cpu-small.
"""

from __future__ import annotations

TABLE_1: tuple[str, ...] = (
    (
        "Heads do not differ here. Patches up to 4 x 4 pixels are hardly learnt by either network "
        "at this scale ({ResNet-18, patch 4 x 4|ASR} for the classical head, {HQResNet-18, patch "
        "4 x 4|ASR} for the quantum head, where the paper has {ResNet-18, patch 4 x 4|ASR|paper} "
        "and {HQResNet-18, patch 4 x 4|ASR|paper}); blends of 0.05 and 0.1, which the paper "
        "reports at 0 % against the quantum head, reach {HQResNet-18, blend 0.05|ASR} and "
        "{HQResNet-18, blend 0.1|ASR} beside leaks of {HQResNet-18, blend 0.05|leak} and "
        "{HQResNet-18, blend 0.1|leak}."
    ),
    (
        "The control with a tanh bottleneck stands where both others stand: nothing here is due "
        "to the circuit. A success of exactly 0 % is not a rate that a network with ordinary "
        "errors can show: the leak alone is several per cent in every row."
    ),
    (
        "That small patches fail is a matter of scale: 100 poisoned images, 6 epochs, and a first "
        "stage that stays frozen. In single runs with 2,000 images and all stages trained, a 2 x 2 "
        "patch succeeded in about 80 % of the images against a classical head after 5 epochs, and "
        "against a quantum head after 12."
    ),
)
TABLE_2: tuple[str, ...] = ()
TABLE_3: tuple[str, ...] = ()
TABLE_4: tuple[str, ...] = (
    (
        "The table holds for patches and fails for triggers that change the whole image. On a "
        "trunk that nobody touched, a blend of 0.15 reaches {HQResNet-18, imagenette, blend "
        "0.15|ASR} (Imagenette) and {HQResNet-18, cifar-10, blend 0.15|ASR} (CIFAR-10), Qcolor "
        "{HQResNet-18, imagenette, Qcolor (1.2, 1, 0.8)|ASR} and {HQResNet-18, cifar-10, Qcolor "
        "(1.2, 1, 0.8)|ASR}, with leaks below a fifth of that. The pretrained features carry "
        "colour and texture of the whole image, so a head alone can learn them; they carry a "
        "patch of four pixels hardly at all."
    ),
)
TABLE_5: tuple[str, ...] = (
    (
        "On MNIST, where colour says nothing of the digit, Qcolor succeeds as the paper says "
        "({HQResNet-18, mnist, Qcolor|ASR}). On photographs it reaches about half of the images "
        "at this scale ({HQResNet-18, imagenette, Qcolor|ASR} and {HQResNet-18, cifar-10, "
        "Qcolor|ASR}), far above leak and control. A likely reason is that photographs differ in "
        "colour by themselves; it was not measured."
    ),
)
TABLE_6: tuple[str, ...] = (
    (
        "At 10 % every trigger but the 3 x 3 patch works, at different strengths. Below, all of "
        "them fade gradually; none drops to 0 % between 10 % and 4 % as in the paper. The blend "
        "is the one that lasts: {HQResNet-18, Blend, 1 %|ASR} at 1 %, where Qcolor has "
        "{HQResNet-18, Qcolor, 1 %|ASR} beside a leak of {HQResNet-18, Qcolor, 1 %|leak}."
    ),
    (
        "1 % is 10 images here and about 95 in the paper, so this refutes nothing about Qcolor at "
        "1 % of a large set; it does say that ten images are too few for it and not for a blend. "
        "The tanh control at 10 % shows the same order of triggers as the quantum head."
    ),
)
TABLE_7: tuple[str, ...] = (
    (
        "A single layer learns poorly ({1 layers, clean|CA or BA} clean accuracy), six layers "
        "better ({6 layers, clean|CA or BA}). Attack success is about the same at all depths, "
        "while the leak of shallow circuits varies widely from seed to seed: read it beside the "
        "control."
    ),
)
TABLE_8: tuple[str, ...] = (
    (
        "Of the triggers of the whole image Qcolor changes structure least (SSIM {Qcolor|SSIM}), "
        "as the paper says; its 0.999 would need factors closer to 1, which do not succeed at "
        "this scale (Figure 6). SSIM of the patch rounds to 1: it changes nine pixels. The blend "
        "succeeds most and shows most."
    ),
)
FIGURE_5: tuple[str, ...] = ()
FIGURE_6: tuple[str, ...] = (
    (
        "A change of 0.05 in one channel stays within a few points of the leak in all six cases. "
        "The paper's sentence holds at its scale or not at all."
    ),
)
FIGURE_7: tuple[str, ...] = (
    (
        "Two channels moved against each other by 0.1 succeed in about half of the images where "
        "green is one of them, and less for red against blue. Why was not measured."
    ),
)
FIGURE_8: tuple[str, ...] = ()
FIGURE_9: tuple[str, ...] = ()
FIGURE_10: tuple[str, ...] = (
    (
        "Pruning alone costs accuracy steadily, and attack success does not surely fall with it: "
        "on Imagenette it stays near one half at every share, on CIFAR-10 it falls within "
        "intervals that are wider than the fall. What helps is the published second half, fine-"
        "tuning on clean images, which the paper's figure leaves out."
    ),
)
FIGURE_11: tuple[str, ...] = ()
FIGURE_12: tuple[str, ...] = ()
EXTRA_EPOCHS: tuple[str, ...] = (
    (
        "The quantum head needs {HQResNet-18, patch 3 x 3|epochs until then} epochs to reach the "
        "training loss that the classical head has after {ResNet-18, patch 3 x 3|epochs until "
        "then}. Read at that same loss, attack success is {HQResNet-18, patch 3 x 3|ASR at "
        "matched loss} against {ResNet-18, patch 3 x 3|ASR at matched loss}: what could look like "
        "robustness at equal epochs is slower training here."
    ),
)
EXTRA_DEFENCES: tuple[str, ...] = ()
EXTRA_THEORY: tuple[str, ...] = ()
