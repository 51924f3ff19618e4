// pointwise: y = f(x, ..), elementwise operations of a plan in one pass
//
// x, ..: at most 7 buffers, seen in any number of ways, any strides. y: rows.
// Cost: one read for each way of seeing, one write an element.
// What is between the marks is this for a copy; for every other structure it is written anew (gpu/generate.rs).

// <
struct Params {
    len: u32,
    words: array<vec4<u32>, 1>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x0: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn f(index: u32) -> f32 {
    return x0[params.words[0].x + index];
}
// >

// Two polynomials of Norbert Juffa: error below 1e-7.
fn erf(x: f32) -> f32 {
    let t = min(abs(x), 4.0);
    let s = t * t;
    var p = fma(s, fma(s, -5.96761703e-4, 4.99119423e-3), -2.67681349e-2);
    p = fma(s, fma(s, fma(s, p, 1.12819925e-1), -3.76125336e-1), 1.28379166e-1);
    var q = fma(s, fma(t, -1.72853470e-5, 3.83197126e-4), fma(t, -3.88396438e-3, 2.42546219e-2));
    q = fma(t, fma(t, fma(t, q, -1.06777877e-1), -6.34846687e-1), -1.28717512e-1);
    return select(fma(x, p, x), sign(x) * (1.0 - exp(fma(t, q, -t))), t > 0.927734375);
}

// Eigen's rational approximation: the builtin is NaN for large arguments on some devices, inexact near 0 on others.
fn tanh_exactly(value: f32) -> f32 {
    let x = clamp(value, -7.9, 7.9);
    let s = x * x;
    var p = fma(s, fma(s, -2.76076847742355e-16, 2.00018790482477e-13), -8.60467152213735e-11);
    p = fma(s, fma(s, p, 5.12229709037114e-08), 1.48572235717979e-05);
    p = fma(s, fma(s, p, 6.37261928875436e-04), 4.89352455891786e-03);
    var q = fma(s, 1.19825839466702e-06, 1.18534705686654e-04);
    q = fma(s, fma(s, q, 2.26843463243900e-03), 4.89352518554385e-03);
    return x * p / q;
}

// Sine of x + quarter * pi/2. The builtins promise 2^-11 within a turn and nothing beyond it, so the angle is brought
// to [-pi/4, pi/4] by a pi/2 in three parts whose multiples are exact, and the series of Cephes finish.
fn sine(x: f32, quarter: i32) -> f32 {
    let turns = round(x * 0.6366197723675814);
    let r = ((x - turns * 1.5703125) - turns * 4.837512969970703125e-4) - turns * 7.549789948768648e-8;
    let s = r * r;
    let sin_r = fma(r * s, fma(s, fma(s, -1.9515295891e-4, 8.3321608736e-3), -1.6666654611e-1), r);
    let c = fma(s, fma(s, 2.443315711809948e-5, -1.388731625493765e-3), 4.166664568298827e-2);
    let cos_r = fma(s * s, c, fma(s, -0.5, 1.0));
    let quadrant = i32(turns) + quarter;
    let value = select(sin_r, cos_r, (quadrant & 1) == 1);
    return select(value, -value, (quadrant & 2) == 2);
}

fn gelu(x: f32) -> f32 {
    return 0.5 * x * (1.0 + erf(x * 0.70710678118654752));
}

// dy times the derivative of GELU, Phi(x) + x phi(x), with the error function of Abramowitz & Stegun 7.1.26.
fn gelu_grad(x: f32, dy: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.3275911 * 0.70710678 * abs(x));
    let p = 0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)));
    let e = exp(-0.5 * x * x);
    let tail = 0.5 * t * p * e;
    return dy * (select(1.0 - tail, tail, x < 0.0) + 0.3989422804 * x * e);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if (index < params.len) {
        y[index] = f(index);
    }
}
