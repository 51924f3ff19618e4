// unary: y = f(x), with f chosen by OP
//
// x: at most 8 axes, any strides. y: the same shape, rows.
// Cost: one read and one write an element, and at most some 20 operations.

struct Params {
    shape: array<vec4<u32>, 2>,
    strides: array<vec4<u32>, 2>,
    rank: u32,
    offset: u32,
    len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override OP: u32 = 0u;

// Where element `index` of y, counted in rows, lies in x.
fn place(index: u32) -> u32 {
    var rest = index;
    var at = params.offset;
    for (var axis = params.rank - 1u; axis > 0u; axis -= 1u) {
        let len = params.shape[axis / 4u][axis % 4u];
        at += (rest % len) * params.strides[axis / 4u][axis % 4u];
        rest /= len;
    }
    return at + rest * params.strides[0].x;
}

// Eigen's rational approximation: absolute error below 2e-7.
fn erf(value: f32) -> f32 {
    let x = clamp(value, -4.0, 4.0);
    let s = x * x;
    var p = fma(s, -2.72614225801306e-10, 2.77068142495902e-08);
    p = fma(s, p, -2.10102402082508e-06);
    p = fma(s, p, -5.69250639462346e-05);
    p = fma(s, p, -7.34990630326855e-04);
    p = fma(s, p, -2.95459980854025e-03);
    p = fma(s, p, -1.60960333262415e-02);
    var q = fma(s, -1.45660718464996e-05, -2.13374055278905e-04);
    q = fma(s, q, -1.68282697438203e-03);
    q = fma(s, q, -7.37332916720468e-03);
    q = fma(s, q, -1.42647390514189e-02);
    return x * p / q;
}

// The builtin is NaN for large arguments on some devices, and inexact near 0 on others.
fn tanh_exactly(value: f32) -> f32 {
    let x = clamp(value, -7.9, 7.9);
    let s = x * x;
    var p = fma(s, -2.76076847742355e-16, 2.00018790482477e-13);
    p = fma(s, p, -8.60467152213735e-11);
    p = fma(s, p, 5.12229709037114e-08);
    p = fma(s, p, 1.48572235717979e-05);
    p = fma(s, p, 6.37261928875436e-04);
    p = fma(s, p, 4.89352455891786e-03);
    var q = fma(s, 1.19825839466702e-06, 1.18534705686654e-04);
    q = fma(s, q, 2.26843463243900e-03);
    q = fma(s, q, 4.89352518554385e-03);
    return x * p / q;
}

// Sine of x + quarter * pi/2. The builtins promise 2^-11 within a turn and nothing beyond it, so the angle is brought
// to [-pi/4, pi/4] by a pi/2 in three parts whose multiples are exact, and the series of Cephes finish.
fn sine(x: f32, quarter: i32) -> f32 {
    let turns = round(x * 0.6366197723675814);
    let r = ((x - turns * 1.5703125) - turns * 4.837512969970703125e-4) - turns * 7.549789948768648e-8;
    let s = r * r;
    let sin_r = fma(r * s, fma(s, fma(s, -1.9515295891e-4, 8.3321608736e-3), -1.6666654611e-1), r);
    let cos_r = fma(s * s, fma(s, fma(s, 2.443315711809948e-5, -1.388731625493765e-3), 4.166664568298827e-2),
        fma(s, -0.5, 1.0));
    let quadrant = i32(turns) + quarter;
    let value = select(sin_r, cos_r, (quadrant & 1) == 1);
    return select(value, -value, (quadrant & 2) == 2);
}

// In the order of the recording's functions, then copy and GELU.
fn f(x: f32) -> f32 {
    switch (OP) {
        case 0u: { return abs(x); }
        case 1u: { return sine(x, 1); }
        case 2u: { return erf(x); }
        case 3u: { return exp(x); }
        case 4u: { return log(x); }
        case 5u: { return -x; }
        case 6u: { return 1.0 / x; }
        case 7u: { return sign(x); }
        case 8u: { return sine(x, 0); }
        case 9u: { return sqrt(x); }
        case 10u: { return tanh_exactly(x); }
        case 11u: { return x; }
        default: { return 0.5 * x * (1.0 + erf(x * 0.70710678118654752)); }
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if (index < params.len) {
        y[index] = f(x[place(index)]);
    }
}
