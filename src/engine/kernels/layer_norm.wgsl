// layer_norm: y[row] = (s - mean s) / sqrt(var s + eps) * gamma + beta, where s = x[row] + residual[row]
// and behind y with SUM, s
//
// x, residual, y, s: [rows, n], rows. gamma, beta: [n], rows. Without a residual, x is bound in its place and not read.
// Cost: six reads and three or four writes an element. A thread walks a row by itself, or with COOPERATE the 64 threads of a
// workgroup share it.

struct Params {
    rows: u32,
    n: u32,
    eps: f32,
    sum: u32, // where s begins
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read> beta: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

override COOPERATE: bool = false;
override RESIDUAL: bool = false;
override SUM: bool = false;

var<workgroup> parts: array<f32, 64>;

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
    let start = row * params.n;
    // A row that is not there is empty, so that every thread passes every barrier.
    let n = select(0u, params.n, row < params.rows);

    var sum = 0.0;
    for (var j = first; j < n; j += step) {
        var s = x[start + j];
        if (RESIDUAL) {
            s += residual[start + j];
        }
        y[start + j] = s;
        if (SUM) {
            y[params.sum + start + j] = s;
        }
        sum += s;
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
        workgroupBarrier();
    }

    let mean = sum / f32(params.n);
    var squares = 0.0;
    for (var j = first; j < n; j += step) {
        let centred = y[start + j] - mean;
        squares += centred * centred;
    }
    if (COOPERATE) {
        parts[lane] = squares;
        for (var half = 32u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if (lane < half) {
                parts[lane] += parts[lane + half];
            }
        }
        workgroupBarrier();
        squares = parts[0];
    }

    let scale = 1.0 / sqrt(squares / f32(params.n) + params.eps);
    for (var j = first; j < n; j += step) {
        let unit = (y[start + j] - mean) * scale;
        y[start + j] = unit * gamma[j] + beta[j];
    }
}
