// pattern: y[b] = softmax(alpha * q[b] x k[b] + field[b])
//
// q: [batch, m, d], k: [batch, d, n], field: [batch, m, n] or nothing, any strides; the batch is two axes. y: [batch, m, n], rows.
// Cost: 2 n d operations a query, two reads and three writes of each weight. Four queries are walked by LANES threads, each of which
// has every LANES-th four of the keys: scores and their largest, then exp(score - it) and its sum, then weights. In hardware 16
// threads share queries; in software, where barriers cost much, one thread has them to itself.

struct Params {
    m: u32, n: u32, d: u32,
    alpha: f32,
    inner: u32, // matrices in an inner batch
    fielded: u32, // 1 if there is a field
    q: vec4<u32>, // offset, strides of inner batch, row and column
    k: vec4<u32>,
    field: vec4<u32>,
    outer: vec4<u32>, // strides of the outer batch in q, k and the field
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> field: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

override LANES: u32 = 1u;
// Whether every four channels of a query and of a key are an aligned vec4.
override FOURS: bool = false;

const LOWEST = vec4<f32>(-3.4028234e38);
const FOUR = vec4<u32>(0u, 1u, 2u, 3u);

var<workgroup> parts: array<vec4<f32>, 64>;

// Four channels from c on of the query that begins at `first`; zeros beyond the last.
fn of_q(first: u32, c: u32) -> vec4<f32> {
    if (FOURS) { return q[(first + c) / 4u]; }
    let i = first + min(c + FOUR, vec4<u32>(params.d - 1u)) * params.q.w;
    let it = vec4<f32>(q[i.x / 4u][i.x % 4u], q[i.y / 4u][i.y % 4u], q[i.z / 4u][i.z % 4u], q[i.w / 4u][i.w % 4u]);
    return select(vec4<f32>(), it, c + FOUR < vec4<u32>(params.d));
}

fn of_k(first: u32, c: u32) -> vec4<f32> {
    if (FOURS) { return k[(first + c) / 4u]; }
    let i = first + min(c + FOUR, vec4<u32>(params.d - 1u)) * params.k.z;
    return vec4<f32>(k[i.x / 4u][i.x % 4u], k[i.y / 4u][i.y % 4u], k[i.z / 4u][i.z % 4u], k[i.w / 4u][i.w % 4u]);
}

// The largest (or the sum) of what the threads of the same queries have.
fn together(mine: vec4<f32>, thread: u32, sum: bool) -> vec4<f32> {
    if (LANES == 1u) { return mine; }
    workgroupBarrier();
    parts[thread] = mine;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread % LANES < half) {
            let other = parts[thread + half];
            parts[thread] = select(max(parts[thread], other), parts[thread] + other, sum);
        }
    }
    workgroupBarrier();
    return parts[thread - thread % LANES];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let row = (group.x * (64u / LANES) + thread / LANES) * 4u;
    let start = thread % LANES * 4u;
    let batch = vec2<u32>(group.z % params.inner, group.z / params.inner);
    // Queries and keys over the edge are the last one again: they are read, but count and are written nowhere.
    let rows = min(row + FOUR, vec4<u32>(params.m - 1u));
    let queries = params.q.x + batch.x * params.q.y + batch.y * params.outer.x + rows * params.q.z;
    let first_k = params.k.x + batch.x * params.k.y + batch.y * params.outer.y;
    let first_field = params.field.x + batch.x * params.field.y + batch.y * params.outer.z + rows * params.field.z;
    let places = (group.z * params.m + rows) * params.n;
    // A thread over the edge walks no keys, but passes every barrier.
    let end = select(0u, params.n, row < params.m);

    var top = LOWEST; // of each query
    for (var j = start; j < end; j += 4u * LANES) {
        let keys = first_k + min(j + FOUR, vec4<u32>(params.n - 1u)) * params.k.w;
        var scores = mat4x4<f32>(); // [query][key]
        for (var c = 0u; c < params.d; c += 4u) {
            let block = transpose(mat4x4<f32>(of_k(keys.x, c), of_k(keys.y, c), of_k(keys.z, c), of_k(keys.w, c)));
            let rows = mat4x4<f32>(of_q(queries.x, c), of_q(queries.y, c), of_q(queries.z, c), of_q(queries.w, c));
            scores += block * rows;
        }
        scores *= params.alpha;
        // Loops of four that a compiler unrolls: places in vectors are known then.
        for (var r = 0u; r < 4u; r += 1u) {
            for (var i = 0u; i < 4u; i += 1u) {
                if (row + r < params.m && j + i < params.n) {
                    var score = scores[r][i];
                    if (params.fielded == 1u) { score += field[first_field[r] + (j + i) * params.field.w]; }
                    y[places[r] + j + i] = score;
                    top[r] = max(top[r], score);
                }
            }
        }
    }
    top = together(top, thread, false);

    var sum = vec4<f32>();
    for (var j = start; j < end; j += 4u * LANES) {
        for (var r = 0u; r < 4u; r += 1u) {
            for (var i = j; row + r < params.m && i < min(j + 4u, params.n); i += 1u) {
                let it = exp(y[places[r] + i] - top[r]);
                y[places[r] + i] = it;
                sum[r] += it;
            }
        }
    }
    let scale = 1.0 / together(sum, thread, true);
    for (var j = start; j < end; j += 4u * LANES) {
        for (var r = 0u; r < 4u; r += 1u) {
            for (var i = j; row + r < params.m && i < min(j + 4u, params.n); i += 1u) {
                y[places[r] + i] *= scale[r];
            }
        }
    }
}
