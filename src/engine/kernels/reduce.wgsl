// reduce: y[row] = sum or max over j of x[row, j], chosen by OP
//
// x: [.., n], at most 8 axes before the last, any strides. y: [..], rows, of which every `each` begin `apart` from the others.
// Cost: one read an element. A thread walks a row by itself, or with COOPERATE the 64 threads of a workgroup share it.

struct Params {
    // Length and stride of every axis but the last.
    axes: array<vec4<u32>, 8>,
    rank: u32,
    offset: u32,
    rows: u32,
    n: u32,
    stride: u32,
    each: u32,
    apart: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override OP: u32 = 0u;
override COOPERATE: bool = false;

var<workgroup> parts: array<f32, 64>;

// Where a row begins in x.
fn place(row: u32) -> u32 {
    var rest = row;
    var at = params.offset;
    for (var axis = params.rank - 1u; axis > 0u; axis -= 1u) {
        let above = rest / params.axes[axis].x;
        at += (rest - above * params.axes[axis].x) * params.axes[axis].y;
        rest = above;
    }
    return at + rest * params.axes[0].y;
}

fn f(a: f32, b: f32) -> f32 {
    if (OP == 0u) {
        return a + b;
    }
    return max(a, b);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = group.y * groups.x + group.x;
    let row = select(number * 64u + lane, number, COOPERATE);
    let first = select(0u, lane, COOPERATE);
    let step = select(1u, 64u, COOPERATE);
    let start = place(row);
    // The largest finite number stands in for infinity, which WGSL does not have.
    var total = select(-3.4028234e38, 0.0, OP == 0u);
    if (row < params.rows) {
        for (var j = first; j < params.n; j += step) {
            total = f(total, x[start + j * params.stride]);
        }
    }
    if (COOPERATE) {
        parts[lane] = total;
        for (var half = 32u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if (lane < half) {
                parts[lane] = f(parts[lane], parts[lane + half]);
            }
        }
        total = parts[0];
    }
    if (row < params.rows && first == 0u) {
        let part = row / params.each;
        y[part * params.apart + row - part * params.each] = total;
    }
}
