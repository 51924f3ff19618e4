// softmax_grad: dx[row, j] = y[row, j] * (dy[row, j] - sum over k of y[row, k] dy[row, k])
//
// y, dy, dx: [rows, n], rows.
// Cost: four reads and one write an element. A thread walks a row by itself, or with COOPERATE the 64 threads of a
// workgroup share it.

struct Params {
    rows: u32,
    n: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

override COOPERATE: bool = false;

var<workgroup> parts: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = group.y * groups.x + group.x;
    let row = select(number * 64u + lane, number, COOPERATE);
    let step = select(1u, 64u, COOPERATE);
    let start = row * params.n;
    let first = start + select(0u, lane, COOPERATE);
    // A row that is not there is empty, so that every thread passes every barrier.
    let end = select(start, start + params.n, row < params.rows);

    var dot = 0.0;
    for (var i = first; i < end; i += step) {
        dot += y[i] * dy[i];
    }
    if (COOPERATE) {
        parts[lane] = dot;
        for (var half = 32u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if (lane < half) {
                parts[lane] += parts[lane + half];
            }
        }
        workgroupBarrier();
        dot = parts[0];
    }
    for (var i = first; i < end; i += step) {
        dx[i] = y[i] * (dy[i] - dot);
    }
}
