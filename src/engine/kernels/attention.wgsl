// attention: y[b] = softmax(alpha * q[b] x k[b] + field[b]) x v[b]
//
// q: [batch, m, d], k: [batch, d, n], v: [batch, n, e], field: [batch, m, n] or nothing, any strides; the batch is two axes.
// y: [batch, m, e], rows anywhere.
// Cost: 2 n (d + e) operations a query, and no memory but for y: a thread walks the keys of four queries by fours and keeps of each
// the largest score so far, the sum of exp(score - it) and the sums of 32 columns of the values; when a larger score comes, all
// become smaller (Milakov & Gimelshein 2018, arXiv 1805.02867, algorithm 3).

struct Params {
    m: u32, n: u32, d: u32, e: u32,
    alpha: f32,
    inner: u32, // matrices in an inner batch
    columns: u32, // threads that share the columns of a query
    fielded: u32, // 1 if there is a field
    q: vec4<u32>, // offset, strides of inner batch, row and column
    k: vec4<u32>,
    v: vec4<u32>,
    field: vec4<u32>,
    outer: vec4<u32>, // strides of the outer batch in q, k, v and the field
    y: vec4<u32>, // strides of inner batch, outer batch and row
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(4) var<storage, read> field: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

const LOWEST = vec4<f32>(-3.4028234e38);
const FOUR = vec4<u32>(0u, 1u, 2u, 3u);
const COLUMNS = 32u;

fn at_q(at: vec4<u32>) -> vec4<f32> { return vec4<f32>(q[at.x], q[at.y], q[at.z], q[at.w]); }
fn at_k(at: vec4<u32>) -> vec4<f32> { return vec4<f32>(k[at.x], k[at.y], k[at.z], k[at.w]); }
fn at_v(at: vec4<u32>) -> vec4<f32> { return vec4<f32>(v[at.x], v[at.y], v[at.z], v[at.w]); }
fn at_field(at: vec4<u32>) -> vec4<f32> { return vec4<f32>(field[at.x], field[at.y], field[at.z], field[at.w]); }

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x / params.columns * 4u;
    if (row >= params.m) { return; }
    let column = id.x % params.columns * COLUMNS;
    let batch = vec2<u32>(id.z % params.inner, id.z / params.inner);
    // Queries, keys and columns over the edge are the last one again: they are read, but count and are written nowhere.
    let rows = min(row + FOUR, vec4<u32>(params.m - 1u));
    let first_q = params.q.x + batch.x * params.q.y + batch.y * params.outer.x + rows * params.q.z;
    let first_k = params.k.x + batch.x * params.k.y + batch.y * params.outer.y;
    let first_v = params.v.x + batch.x * params.v.y + batch.y * params.outer.z;
    let first_field = params.field.x + batch.x * params.field.y + batch.y * params.outer.w + rows * params.field.z;
    var places: array<vec4<u32>, 8>;
    for (var b = 0u; b < 8u; b += 1u) {
        places[b] = first_v + min(column + 4u * b + FOUR, vec4<u32>(params.e - 1u)) * params.v.w;
    }

    var top = LOWEST; // of each query
    var sum = vec4<f32>();
    var sums: array<mat4x4<f32>, 8>; // [four columns of v][query]
    for (var j = 0u; j < params.n; j += 4u) {
        let keys = min(j + FOUR, vec4<u32>(params.n - 1u));
        var from_q = first_q;
        var from_k = first_k + keys * params.k.w;
        var scores = mat4x4<f32>(); // [query][key]
        for (var i = 0u; i < params.d; i += 1u) {
            let of_q = at_q(from_q);
            let of_k = at_k(from_k);
            scores += mat4x4<f32>(of_q.x * of_k, of_q.y * of_k, of_q.z * of_k, of_q.w * of_k);
            from_q += params.q.w;
            from_k += params.k.z;
        }
        scores *= params.alpha;
        if (params.fielded == 1u) {
            for (var r = 0u; r < 4u; r += 1u) { scores[r] += at_field(first_field[r] + keys * params.field.w); }
        }
        let seen = j + FOUR < vec4<u32>(params.n);
        var smaller: vec4<f32>;
        for (var r = 0u; r < 4u; r += 1u) {
            let it = scores[r];
            let larger = max(max(top[r], max(it.x, it.y)), max(it.z, it.w));
            scores[r] = select(vec4<f32>(), exp(it - larger), seen);
            smaller[r] = exp(top[r] - larger);
            sum[r] = sum[r] * smaller[r] + dot(scores[r], vec4<f32>(1.0));
            top[r] = larger;
        }
        let rows_v = keys * params.v.z;
        for (var b = 0u; b < 8u; b += 1u) {
            let at = places[b];
            let values = mat4x4<f32>(at_v(at + rows_v.x), at_v(at + rows_v.y), at_v(at + rows_v.z), at_v(at + rows_v.w));
            let known = sums[b];
            let kept = mat4x4<f32>(known[0] * smaller.x, known[1] * smaller.y, known[2] * smaller.z, known[3] * smaller.w);
            sums[b] = kept + values * scores;
        }
    }
    for (var r = 0u; r < 4u && row + r < params.m; r += 1u) {
        let to = batch.x * params.y.x + batch.y * params.y.y + (row + r) * params.y.z;
        for (var c = column; c < min(column + COLUMNS, params.e); c += 1u) {
            y[to + c] = sums[(c - column) / 4u][r][c % 4u] / sum[r];
        }
    }
}
