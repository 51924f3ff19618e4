// scatter_add: y[r, j] = sum over i with ids[i] = r of x[i, j]
//
// x: [n, d], rows. ids: [n], rows, whole numbers; what lies outside the table is clamped to it. y: [v, d], rows.
// Cost: n reads of ids for each of v d results, neighbours the same, and one read an element of x. A thread adds up one
// result in the order of ids: without atomics the sum is the same at every run.

struct Params {
    n: u32,
    d: u32,
    v: u32,
    len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> ids: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + lane;
    if (index < params.len) {
        let r = index / params.d;
        let j = index % params.d;
        var sum = 0.0;
        for (var i = 0u; i < params.n; i += 1u) {
            if (u32(clamp(ids[i], 0.0, f32(params.v - 1u))) == r) {
                sum += x[i * params.d + j];
            }
        }
        y[index] = sum;
    }
}
