// Written by make.mjs.
&[
    ("attention", include_bytes!("attention.png")),
    ("normgrad", include_bytes!("normgrad.png")),
    ("gaussian-masks", include_bytes!("gaussian-masks.png")),
    ("retnet-decay", include_bytes!("retnet-decay.png")),
    ("icl-descent", include_bytes!("icl-descent.png")),
    ("icl-optimum", include_bytes!("icl-optimum.png")),
    ("icl-algorithm", include_bytes!("icl-algorithm.png")),
    ("icl-bayes", include_bytes!("icl-bayes.png")),
    ("method-wall", include_bytes!("method-wall.png")),
    ("next-character", include_bytes!("next-character.png")),
    ("learning", include_bytes!("learning.png")),
    ("three-masks", include_bytes!("three-masks.png")),
    ("rmt-decay", include_bytes!("rmt-decay.png")),
]
