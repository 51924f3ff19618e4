// fold: y[.., i, ..] = sum over w, j with w * step + j = i of x[.., w, .., j]
//
// x: windows along one axis, their elements on the last axis, any strides. y: at most 8 axes, rows.
// Cost: one read an element of x, one write an element of y. A thread gathers what overlaps: nothing is added atomically.

struct Params {
    // Length of every axis of y, stride of every axis of x but the last.
    axes: array<vec4<u32>, 8>,
    rank: u32,
    offset: u32,
    len: u32,
    axis: u32,
    step: u32,
    windows: u32,
    // Elements in a window, and their stride.
    size: u32,
    stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn folded(index: u32) -> f32 {
    var rest = index;
    var at = params.offset;
    var i = 0u;
    for (var axis = params.rank; axis > 0u; axis -= 1u) {
        let above = rest / params.axes[axis - 1u].x;
        let place = rest - above * params.axes[axis - 1u].x;
        rest = above;
        if (axis - 1u == params.axis) {
            i = place;
        } else {
            at += place * params.axes[axis - 1u].y;
        }
    }
    // The first window that reaches as far as i, and one beyond the last that begins before it.
    let first = (max(i + 1u, params.size) - params.size + params.step - 1u) / params.step;
    let end = min(params.windows, i / params.step + 1u);
    var sum = 0.0;
    for (var w = first; w < end; w += 1u) {
        sum += x[at + w * params.axes[params.axis].y + (i - w * params.step) * params.stride];
    }
    return sum;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if (index < params.len) {
        y[index] = folded(index);
    }
}
