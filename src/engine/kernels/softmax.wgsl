// softmax: y[row, j] = exp(x[row, j] - max x[row]) / sum over k of exp(x[row, k] - max x[row])
//
// x, y: [rows, n], rows.
// Cost: three reads and two writes an element. A thread walks a row by itself, or with COOPERATE the 64 threads of a
// workgroup share it; barriers cost much in software, long rows cost much in hardware.

struct Params {
    rows: u32,
    n: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

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

    var top = -3.4028234e38;
    for (var i = first; i < end; i += step) {
        top = max(top, x[i]);
    }
    if (COOPERATE) {
        parts[lane] = top;
        for (var half = 32u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if (lane < half) {
                parts[lane] = max(parts[lane], parts[lane + half]);
            }
        }
        workgroupBarrier();
        top = parts[0];
        workgroupBarrier();
    }

    var sum = 0.0;
    for (var i = first; i < end; i += step) {
        let e = exp(x[i] - top);
        y[i] = e;
        sum += e;
    }
    if (COOPERATE) {
        parts[lane] = sum;
        for (var half = 32u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if (lane < half) {
                parts[lane] += parts[lane + half];
            }
        }
        workgroupBarrier();
        sum = parts[0];
    }

    let scale = 1.0 / sum;
    for (var i = first; i < end; i += step) {
        y[i] *= scale;
    }
}
