// Written by make.mjs: width and height.
&[
    ("attention", [1002, 251]),
    ("normgrad", [1176, 117]),
    ("gaussian-masks", [2118, 269]),
    ("retnet-decay", [1582, 117]),
    ("icl-descent", [1430, 243]),
    ("icl-optimum", [2053, 251]),
    ("icl-algorithm", [1768, 142]),
    ("icl-bayes", [1383, 216]),
    ("method-wall", [1583, 180]),
    ("next-character", [1629, 239]),
    ("learning", [1115, 253]),
    ("three-masks", [2533, 118]),
    ("rmt-decay", [2520, 126]),
]
