// Written by make.mjs.
&[
    ("attention", include_bytes!("attention.png")),
    ("next-character", include_bytes!("next-character.png")),
    ("normgrad", include_bytes!("normgrad.png")),
    ("method-wall", include_bytes!("method-wall.png")),
    ("learning", include_bytes!("learning.png")),
    ("retnet-decay", include_bytes!("retnet-decay.png")),
    ("gaussian-masks", include_bytes!("gaussian-masks.png")),
    ("icl-descent", include_bytes!("icl-descent.png")),
    ("three-masks", include_bytes!("three-masks.png")),
    ("rmt-decay", include_bytes!("rmt-decay.png")),
]
