// layer_norm_grad: dx = r (d - mean d - u mean(u d)), where d = dy * gamma, r = 1 / sqrt(var x + eps), u = r (x - mean x)
// dx += residual with RESIDUAL; and behind dx with GAIN, dy u, which sums up to the gradient of gamma
//
// x, dy, residual, dx: [rows, n], rows, each row by itself. gamma: [n], rows. Without a residual, x is bound in its place and
// not read.
// Cost: eight reads and two writes an element. A thread walks a row by itself, or with COOPERATE the 64 threads of a
// workgroup share it.

struct Params {
    rows: u32,
    n: u32,
    eps: f32,
    gain: u32, // where dy u begins
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

override COOPERATE: bool = false;
override RESIDUAL: bool = false;
override GAIN: bool = false;

var<workgroup> parts: array<vec2<f32>, 64>;

// The sum over the threads that share a row.
fn shared_sum(lane: u32, own: vec2<f32>) -> vec2<f32> {
    if (!COOPERATE) {
        return own;
    }
    workgroupBarrier();
    parts[lane] = own;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) {
            parts[lane] += parts[lane + half];
        }
    }
    workgroupBarrier();
    return parts[0];
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
    let start = row * params.n;
    // A row that is not there is empty, so that every thread passes every barrier.
    let n = select(0u, params.n, row < params.rows);

    var sums = vec2<f32>();
    for (var j = first; j < n; j += step) {
        sums += vec2<f32>(x[start + j], dy[start + j] * gamma[j]);
    }
    let means = shared_sum(lane, sums) / f32(params.n);
    sums = vec2<f32>();
    for (var j = first; j < n; j += step) {
        let centred = x[start + j] - means.x;
        sums += centred * vec2<f32>(centred, dy[start + j] * gamma[j]);
    }
    let moments = shared_sum(lane, sums) / f32(params.n);
    let r = 1.0 / sqrt(moments.x + params.eps);
    let along = moments.y * r * r;
    for (var j = first; j < n; j += step) {
        let centred = x[start + j] - means.x;
        var it = r * (dy[start + j] * gamma[j] - means.y - centred * along);
        if (RESIDUAL) {
            it += residual[start + j];
        }
        dx[start + j] = it;
        if (GAIN) {
            dx[params.gain + start + j] = dy[start + j] * (centred * r);
        }
    }
}
