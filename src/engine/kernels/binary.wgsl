// binary: y = f(a, b), with f chosen by OP
//
// a, b: equal shapes of at most 8 axes, any strides (0 repeats). y: the same shape, rows.
// Cost: two reads and one write an element.

struct Params {
    // Length of every axis, its stride in a and in b.
    axes: array<vec4<u32>, 8>,
    rank: u32,
    a_offset: u32,
    b_offset: u32,
    len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override OP: u32 = 0u;

// Where element `index` of y, counted in rows, lies in a and in b.
fn place(index: u32) -> vec2<u32> {
    var rest = index;
    var at = vec2<u32>(params.a_offset, params.b_offset);
    for (var axis = params.rank - 1u; axis > 0u; axis -= 1u) {
        let above = rest / params.axes[axis].x;
        at += (rest - above * params.axes[axis].x) * params.axes[axis].yz;
        rest = above;
    }
    return at + rest * params.axes[0].yz;
}

// The derivative of GELU: Phi(x) + x phi(x), with the error function of Abramowitz & Stegun 7.1.26.
fn gelu_grad(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.3275911 * 0.70710678 * abs(x));
    let p = 0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)));
    let e = exp(-0.5 * x * x);
    let tail = 0.5 * t * p * e;
    return select(1.0 - tail, tail, x < 0.0) + 0.3989422804 * x * e;
}

// In the order of the recording's functions, then the derivative of GELU.
fn f(a: f32, b: f32) -> f32 {
    switch (OP) {
        case 0u: { return a + b; }
        case 1u: { return a - b; }
        case 2u: { return a * b; }
        case 3u: { return a / b; }
        case 4u: { return max(a, b); }
        case 5u: { return min(a, b); }
        case 6u: { return select(0.0, 1.0, a < b); }
        default: { return gelu_grad(a) * b; }
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
        let at = place(index);
        y[index] = f(a[at.x], b[at.y]);
    }
}
