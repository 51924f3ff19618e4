// pad: y = x where x is, `value` before and after it along `axis`
//
// x: at most 8 axes, any strides. y: rows, as x but longer along `axis`.
// Cost: at most one read and one write an element.

struct Params {
    // Length of every axis of y, stride of every axis of x.
    axes: array<vec4<u32>, 8>,
    rank: u32,
    offset: u32,
    len: u32,
    axis: u32,
    before: u32,
    // Length of x along the axis.
    n: u32,
    value: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn padded(index: u32) -> f32 {
    var rest = index;
    var at = params.offset;
    for (var axis = params.rank; axis > 0u; axis -= 1u) {
        let above = rest / params.axes[axis - 1u].x;
        var i = rest - above * params.axes[axis - 1u].x;
        rest = above;
        if (axis - 1u == params.axis) {
            if (i < params.before || i >= params.before + params.n) {
                return params.value;
            }
            i -= params.before;
        }
        at += i * params.axes[axis - 1u].y;
    }
    return x[at];
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if (index < params.len) {
        y[index] = padded(index);
    }
}
